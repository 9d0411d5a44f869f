// Package sweep evaluates a grid: models, each without some of its layers, chosen by several strategies, healed or not, on
// several tasks.
//
// A point of the grid is a [Cell]. Its name is the hash of all that its result depends on, and its result a file of that name,
// so that a sweep which was killed, or is asked for again with more to do, computes only what is missing, and several processes
// on one folder share the work. [Result] is all of it together, for package report.
package sweep
