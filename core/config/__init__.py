"""Settings: the environment, waypoint.toml, the defaults."""
