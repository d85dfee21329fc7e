"""The tasks as gymnasium environments; importing this package imports neither neurogym nor torch."""
