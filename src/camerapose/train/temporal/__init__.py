"""Training of temporal models (`models.temporal`) on the output of a lifter."""
