package elasticjob

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ElasticJob's YAML is read by SnakeYAML, which is YAML 1.1: a plain scalar is
// a number, a truth or a date by the patterns below, and props take its
// toString.
var (
	javaTruths = regexp.MustCompile(`^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$`)
	javaInts   = regexp.MustCompile(
		`^(?:[-+]?0b_*[01][01_]*|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x_*[0-9a-fA-F][0-9a-fA-F_]*|` +
			`[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`,
	)
	javaFloats = regexp.MustCompile(
		`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|` +
			`\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|` +
			`[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`,
	)
	javaDates = regexp.MustCompile(`^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}.*)?$`)
)

func isNull(n *yaml.Node) bool {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return false
	}
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		return n.Tag != "!!str"
	}
	return false
}

func javaBool(text string) (value, ok bool) {
	if !javaTruths.MatchString(text) {
		return false, false
	}
	switch strings.ToLower(text) {
	case "yes", "true", "on":
		return true, true
	}
	return false, true
}

// javaInt reads a number with SnakeYAML's prefixes, and sexagesimal ones.
func javaInt(text string) (*big.Int, bool) {
	if !javaInts.MatchString(text) {
		return nil, false
	}
	digits := strings.ReplaceAll(text, "_", "")
	digits, negative := strings.TrimPrefix(digits, "+"), strings.HasPrefix(digits, "-")
	digits = strings.TrimPrefix(digits, "-")
	value, ok := new(big.Int), true
	switch {
	case digits == "0":
	case strings.HasPrefix(digits, "0b"):
		value, ok = value.SetString(digits[2:], 2)
	case strings.HasPrefix(digits, "0x"):
		value, ok = value.SetString(digits[2:], 16)
	case strings.HasPrefix(digits, "0"):
		value, ok = value.SetString(digits, 8)
	default:
		for part := range strings.SplitSeq(digits, ":") {
			n, good := new(big.Int).SetString(part, 10)
			if !good {
				return nil, false
			}
			value.Add(value.Mul(value, big.NewInt(60)), n)
		}
	}
	if !ok {
		return nil, false
	}
	if negative {
		value.Neg(value)
	}
	return value, true
}

// propOf returns a property as Java's Properties hold it.
func propOf(name string, n *yaml.Node) Prop {
	p := Prop{Name: name, Value: n.Value, Text: n.Value}
	quotes := yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	switch {
	case n.Kind != yaml.ScalarNode:
		p.Fuzzy = true
	case n.Style&quotes != 0 || n.Style&yaml.TaggedStyle != 0:
	case isNull(n):
		p.Value = "null"
	case javaTruths.MatchString(n.Value):
		truth, _ := javaBool(n.Value)
		p.Value = strconv.FormatBool(truth)
	case javaInts.MatchString(n.Value):
		if value, ok := javaInt(n.Value); ok {
			p.Value = value.String()
		}
	case javaFloats.MatchString(n.Value):
		p.Value, p.Fuzzy = javaDouble(n.Value)
	case javaDates.MatchString(n.Value):
		p.Fuzzy = true // a Date, whose toString has the JVM's zone
	}
	return p
}

// javaDouble returns Double.toString of what a text is. It gives sexagesimal
// ones up.
func javaDouble(text string) (string, bool) {
	digits := strings.ReplaceAll(text, "_", "")
	switch lower := strings.TrimLeft(strings.ToLower(digits), "+-"); {
	case strings.Contains(digits, ":"):
		return text, true
	case lower == ".inf":
		return strings.Repeat("-", strings.Count(digits, "-")) + "Infinity", false
	case lower == ".nan":
		return "NaN", false
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return text, true
	}
	if size := math.Abs(f); f == 0 || size >= 1e-3 && size < 1e7 {
		shown := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(shown, ".") {
			shown += ".0"
		}
		return shown, false
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	power, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(power), false
}
