"""What is kept on disk between runs, and the only place that writes there."""
