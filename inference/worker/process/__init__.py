"""The worker as a process of its own: its settings, its port, its announcements, its end."""
