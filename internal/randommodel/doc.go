// Package randommodel makes the model that tests run on: a random Llama of sixteen layers whose deep layers change little.
//
// It stands for mechanics, not for what a trained model keeps.
package randommodel
