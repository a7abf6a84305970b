"""The commands of `admitone`, one file each. Each imports what it needs when it runs."""
