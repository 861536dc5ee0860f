"""Scripts that check and document the project; not installed."""

#: The exit code of what could not do its work here, and that this is no fault
#: of the project.
SKIPPED = 77
