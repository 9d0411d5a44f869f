// Package report draws what was measured: for the terminal, as pictures, and as tables that can be pasted into an issue.
//
// The heat map is figure 4 of Gromov et al., "The Unreasonable Ineffectiveness of the Deeper Layers", 2024: a row for
// each block length n, a column for each first layer ℓ, every row rescaled to [0, 1], yellow where the distance is small.
//
// The page shows a sweep: the same heat map, scores, loss and cost against what was dropped, and where quality is lost. Each
// figure is built once, as a chart, from which the page's script draws it and the pictures beside the page are drawn, and has
// the table of its numbers. Nothing is fetched, names are data and not markup, and what a sweep lacks is left out with the reason.
package report
