"""Protocol buffers of the checkpoint formats, in a package of their own, waypoint.tf; `make protos` makes the code."""
