"""What a streamed token costs here and elsewhere: `make bench`."""
