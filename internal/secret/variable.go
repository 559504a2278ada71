package secret

import "sync"

// variables are the names of the environment variables from which this process
// has read a secret.
var variables sync.Map

// NoteVariable remembers that an environment variable holds a secret.
func NoteVariable(name string) { variables.Store(name, nil) }

// IsVariableNoted reports whether NoteVariable was called with a name.
func IsVariableNoted(name string) bool {
	_, noted := variables.Load(name)
	return noted
}
