// Package report draws what was measured: for the terminal, as pictures, and as tables that can be pasted into an issue.
//
// The heat map is figure 4 of Gromov et al., "The Unreasonable Ineffectiveness of the Deeper Layers", 2024: a row for
// each block length n, a column for each first layer ℓ, every row rescaled to [0, 1], yellow where the distance is small.
package report
