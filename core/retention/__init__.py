"""What may go: policies with reasons, the plan, the look right before anything is moved."""
