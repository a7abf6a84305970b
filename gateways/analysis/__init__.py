"""What analysts take away: the log and the read models as tables, in files, in SQL and in data frames."""
