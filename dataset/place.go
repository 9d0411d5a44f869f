package dataset

import (
	"path"
	"slices"
	"strings"
)

// place is where a split may be.
type place struct {
	folder  string // below a root
	stem    string // the file's name without its ending, number or count
	inRoot  bool   // the root itself is the data set's folder
	example bool   // an error may name it for its like
	subject string // if not "", the file is of all configs and has a column for it
}

// synonyms are the names of a split, the one that is meant first.
func synonyms(split string, ownDev bool) []string {
	groups := [][]string{{"train", "training"}, {"validation", "valid", "val", "dev"}, {"test", "testing", "eval", "evaluation"}}
	for _, names := range groups {
		if ownDev {
			names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "dev" })
		}
		if i := slices.Index(names, split); i >= 0 {
			return slices.Concat(names[i:i+1], names[:i], names[i+1:])
		}
	}
	return []string{split}
}

// taskName is the name of the task that asks, without what stands behind an @ to tell how it is asked.
func taskName(split Split) string {
	name, _, _ := strings.Cut(split.Task, "@")
	return name
}

// folderNames are the names that a data set's folder may have.
func folderNames(split Split, known *knownSet) []string {
	id, _, _ := strings.Cut(split.Path, "@")
	if id == "" || isFolder(split.Path) {
		return nil
	}
	names := []string{id}
	if known != nil {
		names = slices.Concat(known.paths, known.folders)
	}
	var all []string
	for _, name := range names {
		if strings.Contains(name, "/") {
			all = append(all, name, strings.ReplaceAll(name, "/", "___"), strings.ReplaceAll(name, "/", "--"), path.Base(name))
		} else {
			all = append(all, name)
		}
	}
	// A name that comes twice is looked at twice, no more.
	return all
}

// placesOf are the places of a split, in the order in which they are looked at. What is named after the task comes first.
func placesOf(split Split, known *knownSet) []place {
	var places []place
	add := func(p place) {
		if p.folder = path.Clean(p.folder); !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	names := synonyms(split.Split, known != nil && known.ownDev)
	for _, name := range names {
		if task := taskName(split); task != "" {
			add(place{folder: ".", stem: task + "-" + name, example: name == split.Split})
			add(place{folder: ".", stem: task + "_" + name})
			add(place{folder: task, stem: name, example: name == split.Split})
			add(place{folder: path.Join(task, name), stem: numbered})
		}
	}
	folders := folderNames(split, known)
	for _, folder := range folders {
		first := len(places)
		if inFolder(split, known, folder, names, add); len(places) > first {
			places[first].example = true
		}
	}
	inFolder(split, known, ".", names, func(p place) {
		p.inRoot = true
		add(p)
	})
	for _, name := range names {
		for _, folder := range folders {
			if base := path.Base(folder); known == nil || !known.divided {
				add(place{folder: ".", stem: base + "-" + name})
			}
		}
		if split.Config != "" {
			for _, p := range configPlaces(split.Config, ".", name) {
				add(p)
			}
		}
	}
	return places
}

// inFolder adds the places in a data set's folder.
func inFolder(split Split, known *knownSet, folder string, names []string, add func(place)) {
	config := split.Config
	for _, name := range names {
		if config != "" {
			for _, p := range configPlaces(config, folder, name) {
				add(p)
			}
			add(place{folder: folder, stem: config + "-" + name})
			add(place{folder: folder, stem: config + "_" + name})
			if split.Path != "" {
				add(place{folder: path.Join(folder, config), stem: path.Base(split.Path) + "-" + name})
			}
		}
		if known != nil && known.divided && config != "" {
			continue
		}
		for _, inner := range []string{".", "data", "default", "plain_text"} {
			add(place{folder: path.Join(folder, inner), stem: name})
			add(place{folder: path.Join(folder, inner, name), stem: numbered})
		}
	}
	if known == nil {
		return
	}
	if slices.Contains(names, known.instruction) {
		add(place{folder: folder, stem: "test-instruction-form"})
	}
	if slices.Contains(names, known.whole) {
		add(place{folder: folder, stem: path.Base(known.paths[0])})
	}
	if known.bare != nil && config != "" {
		for _, name := range names {
			add(place{folder: path.Join(folder, "all"), stem: name, subject: config})
			add(place{folder: path.Join(folder, "all", name), stem: numbered, subject: config})
		}
	}
}

// configPlaces are the places of a config's split.
func configPlaces(config, folder, name string) []place {
	return []place{
		{folder: path.Join(folder, config), stem: name},
		{folder: path.Join(folder, "data", config), stem: name},
		{folder: path.Join(folder, config, name), stem: numbered},
		{folder: path.Join(folder, name), stem: config + "_" + name},
		{folder: path.Join(folder, name), stem: config + "-" + name},
		{folder: path.Join(folder, name), stem: config},
	}
}
