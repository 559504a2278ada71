// Package fleet turns the documents of a namespace into answers of package
// status. Its functions are pure: they decide nothing themselves, but ask those
// that decide for the instances, and are given the time.
package fleet
