// Package rowfile reads what files of documents and of data sets have in common: lines, the JSON objects of a list or one
// after another, and the values of a Parquet column. What a row means is the caller's business; that a damaged or hostile
// file gives an error with its place, and no panic and no endless room, is this package's.
package rowfile
