// Package corpus turns files of documents into token sequences.
//
// A .txt file is one document, or several with a blank line between them. A .jsonl or .json file has objects, in a list or
// one after another, and a .parquet file rows; each is a document and has a text, or under "ids" a list of token ids, which
// are used as they are with nothing added. Texts get the special tokens that the tokenizer adds. A "prompt" and a "completion",
// both texts or both ids, in an object are a document too, one behind the other.
//
// [Documents] reads a file, one document at a time. [Read] takes the sequences of several files, no longer than
// [Options.Length]. A document gives one sequence, its beginning; only a .txt file that is one document gives as many as it
// fills, because it is a book rather than a sample.
package corpus
