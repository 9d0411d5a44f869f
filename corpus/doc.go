// Package corpus turns files of documents into token sequences.
//
// A .txt file is one document, or several with a blank line between them. A .jsonl file has a JSON object a line, a .json
// file a list of objects or one after another, a .parquet file a row a document; each has a text, or under "ids" a list of
// token ids, which are used as they are with nothing added. Texts get the special tokens that the tokenizer adds.
//
// [Documents] reads a file, one document at a time. [Read] takes the sequences of several files, cut to a length.
package corpus
