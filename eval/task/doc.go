// Package task knows evaluation tasks: what a question looks like to a model and how its answers become a score. It knows no
// model and no token ids: it turns rows of a data set into items of text, and log-likelihoods or generated texts into metrics.
//
//	set, err := task.Load([]string{"mmlu", "gsm8k", "my/own.yaml"}, task.LoadOptions{})
//	for _, t := range set.Tasks {
//		run, err := t.Build(ctx, source, task.Options{})   // source is a *dataset.Source
//		for _, item := range run.Items {
//			… item.Context(i) and item.Continuations[i], or item.Text …
//			scores, err := run.Score(item, responses, vocabulary)
//		}
//	}
//
// # Task files
//
// A task is one YAML file in the words of lm-evaluation-harness 0.4.13 (EleutherAI); those of this program are in tasks/. The
// prompts, draws of examples, filters, metrics and standard errors are the harness's, to the character and, of numbers, to the
// last bits. What needs Python there has a name here: process_docs: hellaswag, doc_to_target: !function wikitext_detokenizer.
// These keys and values are ours:
//
//	output_type: answer_token        argmax over the last ids of tokenizer(candidate), right behind tokenizer(prompt)
//	output_type: next_token_loss     each document is one sequence, cut at the model's length; every id but the first counts
//	fewshot_config: drop_to_fit      examples are left out from the end while the prompt is longer than the model takes
//	metric: loss_per_token, loss_norm (divided by ln V, so that 1 is uniform guessing), token_perplexity
//	template, subjects               in a group's list: a task of the template for each subject, where $subject and $words
//	                                 stand for its name and for its name with blanks
//
// Unknown keys are refused, with the file and the line.
package task
