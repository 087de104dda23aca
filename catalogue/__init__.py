"""A shop's files, in: rows of any usual format, under the names that Aisle knows them by."""
