"""The command line: argv -> operation or role -> words on a terminal."""
