"""Values and mathematics that everything else builds on: skeletons, poses, cameras, geometry."""
