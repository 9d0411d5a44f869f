// Package world is a small invented world to train and to test a small model on: people, towns, rivers and crafts, what is true
// of them, and texts that tell it.
//
//	w := world.New(1)
//	for d := range w.Documents(7, 1, 1000) { … }   // a thousand documents to train on
//	w.Facts(9), w.Reading(9, 600), …               // questions in wordings that no document has
//
// A [World] has 1,440 facts, drawn from a seed: where each of 204 people lives, what the trade of each is, which river a town lies
// on, and so on. Documents are encyclopedia articles that tell facts, each in one of twelve wordings; questions about facts;
// passages about people whom nobody knows, with questions that the passage answers; small stories with their end; and word sums of
// one to three steps, answered in words.
//
// Wordings are sentences in wordings/*.yaml. They are split before anything is made of them: questions, settings and steps under
// "held" are for evaluation alone. Of six facts, one is told but never asked in training.
//
// The same seed gives the same texts, as many as are wanted. A document has 35 tokens of the world's own tokenizer in the mean and 68
// at most; all facts once in each of their wordings are 153,000 tokens.
package world
