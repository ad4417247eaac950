"""Tracking over the frames of a video: identities of people, and consistent left and right."""
