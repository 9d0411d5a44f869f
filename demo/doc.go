// Package demo shows the whole path on a model that is made on the spot: a random Llama of sixteen layers whose deep layers
// change little. It is measured, planned for, cut at several depths, compared with the whole, and pruned for good.
//
// The model is random. It stands for the mechanics, not for what a trained model keeps.
package demo
