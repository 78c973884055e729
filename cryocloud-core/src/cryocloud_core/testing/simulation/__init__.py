"""The fault simulator: random workflows through the real engine, gate and exchange, with everything failing."""
