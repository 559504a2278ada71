package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// OpenNamesTheHostsThatDontAnswer in time, and keeps secrets, such as hunter2.
// says returns the text that the error has for a URL, in which SILENT is a host
// that takes connections and says nothing, and REFUSING one that refuses them.
func OpenNamesTheHostsThatDontAnswer(t *testing.T, says map[string]string) {
	hosts := map[string]string{"SILENT": Silent(t), "REFUSING": Refusing(t)}
	for url, text := range says {
		words := []string{text}
		for name, host := range hosts {
			if strings.Contains(url, name) {
				url = strings.ReplaceAll(url, name, host)
				words = append(words, host)
			}
		}
		start := time.Now()
		_, err := Open(t, url, 300*time.Millisecond)
		WantError(t, err, store.ErrUnavailable)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: took %v", url, took)
		}
		Mention(t, err, words...)
		DontMention(t, err, "hunter2", "\n")
	}
}

// OpenRefusesWhatMakesNoSense, and says of each URL what is wrong with it,
// without its secrets.
func OpenRefusesWhatMakesNoSense(t *testing.T, says map[string]string) {
	for url, text := range says {
		_, err := Open(t, url, Patience)
		WantError(t, err, store.ErrInvalid)
		Mention(t, err, text)
		DontMention(t, err, "secret")
	}
}
