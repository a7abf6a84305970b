"""What drives a purchase from one aggregate to the next, through ports and on pure decisions."""
