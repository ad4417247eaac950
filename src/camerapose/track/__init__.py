"""Identities of people over the frames of a video, and left/right consistency."""
