"""What bases differ in, one file each: a class here whose title ends with `Architecture` is found by being there."""
