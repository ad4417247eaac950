"""Value types and mathematics: skeletons, poses, cameras, geometry, body measures."""
