"""Where the head's tests find their desk."""

from __future__ import annotations

import sys
from pathlib import Path

# The desk is also imported by scripts that tests start as processes of their own.
sys.path.insert(0, str(Path(__file__).parent))
