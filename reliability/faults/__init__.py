"""What happens around the project: kills, full disks, damaged files, jumping clocks, lost endpoints."""
