"""What happens next: pure logic from events to commands, without clock, chance or I/O."""
