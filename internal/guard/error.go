package guard

import "fmt"

// Error is an error of the program with its text made already, so that showing
// it calls no method of the program. It unwraps to the error that the program
// returned; errors.Is and errors.As call the methods of that one.
type Error struct {
	Err  error
	Text string
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the error that the program returned.
func (e *Error) Unwrap() error { return e.Err }

// Show returns the text of an error that is not nil, of at most 16 KiB. It
// never fails: where the Error method does not return a text within Patience,
// the text says so, and fault is the *Panic, ErrExited or *Blocked.
func Show(err error) (text string, fault error) {
	if IsNil(err) {
		return fmt.Sprintf("a nil %T, which is an error to Go; return nil without a type", err), nil
	}
	text, fault = Call(Patience, func() string { return Cut(err.Error(), maxText) })
	if fault != nil {
		text = fmt.Sprintf("an error of type %T whose Error method %v", err, fault)
	}
	return text, fault
}
