"""What is measured, a file for each row; each has `run(quick)`, which returns what kit.report.row() makes."""
