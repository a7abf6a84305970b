"""Backups: what comes out of one is what went in, or one line says why nothing does."""
