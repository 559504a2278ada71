package elasticjob

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Config is a job's configuration as ElasticJob stores it.
type Config struct {
	Dialect string // "3" for YAML, "2.1" for JSON
	Class   string // the handler: a class, or a type such as SCRIPT or HTTP

	Name, Cron, TimeZone            string
	Description, Parameter          string
	ItemParameters                  string // 0=Beijing,1=Shanghai
	Shards                          int
	Strategy, ErrorHandler, Pool    string
	Label                           string
	MonitorExecution, Failover      bool
	Misfire, Disabled, Overwrite    bool
	StaticSharding                  bool
	MaxTimeDiff, ReconcileIntervals int
	MonitorPort                     int
	Listeners                       []string
	Tracing                         bool
	Extra                           []string // tags of other extra configurations
	Props                           []Prop   // sorted by name
	Unknown                         []string // keys that no version writes
	OldPoolKey, NewPoolKey          bool     // the key of versions up to 3.0.4, and of later ones
}

// Prop is a property of a job.
type Prop struct {
	Name  string
	Value string // as Java sees it
	Text  string // as it is written
	Fuzzy bool   // Java's value depends on the JVM, so Value is the text
}

func (c *Config) prop(name string) string {
	for _, p := range c.Props {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

const maxDepth = 20

// ReadConfig reads the value of a job's config node. Class is the value of the
// job's own node. Nothing is instantiated, whatever tags the document has.
func ReadConfig(text, class string) (*Config, error) {
	if len(text) > maxNode {
		return nil, fmt.Errorf("read config: it has %d bytes, at most %d are read", len(text), maxNode)
	}
	read := readYAML
	if strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
		read = readJSON
	}
	c, err := read(text)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	if c.Dialect == "3" || c.Class == "" {
		c.Class = class
	}
	slices.SortFunc(c.Props, func(a, b Prop) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(c.Unknown)
	if c.Shards < 1 {
		return nil, fmt.Errorf("read config: shardingTotalCount is %d; Java refuses it, too", c.Shards)
	}
	return c, nil
}

func readYAML(text string) (c *Config, err error) {
	defer func() {
		if recover() != nil { // of the parser
			c, err = nil, errors.New("it can't be read as YAML")
		}
	}()
	var doc yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("it can't be read as YAML: %.200s", oneLine(err.Error()))
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("it is not a mapping")
	}
	budget := 100_000
	if err := checkDepth(doc.Content[0], maxDepth, &budget); err != nil {
		return nil, err
	}
	c = &Config{Dialect: "3", MaxTimeDiff: -1}
	r := yamlReader{config: c}
	root := doc.Content[0]
	for i := 0; i+1 < len(root.Content); i += 2 {
		r.key(root.Content[i].Value, aliased(root.Content[i+1]))
	}
	return c, r.err
}

// oneLine returns a text of any origin as one line without control characters.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return strings.Join(strings.Fields(text), " ")
}

func aliased(n *yaml.Node) *yaml.Node {
	for range maxDepth {
		if n.Kind != yaml.AliasNode {
			break
		}
		n = n.Alias
	}
	return n
}

// checkDepth refuses deep documents, and aliases that multiply.
func checkDepth(n *yaml.Node, depth int, budget *int) error {
	if *budget--; *budget < 0 {
		return errors.New("it has too many nodes")
	}
	if depth == 0 {
		return fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	if n.Kind == yaml.AliasNode {
		return checkDepth(n.Alias, depth-1, budget)
	}
	for _, child := range n.Content {
		if err := checkDepth(child, depth-1, budget); err != nil {
			return err
		}
	}
	return nil
}

// yamlReader takes over one key after another.
type yamlReader struct {
	config *Config
	err    error
}

func (r *yamlReader) fail(key, want string, n *yaml.Node) {
	r.err = errors.Join(r.err, fmt.Errorf("%s: want %s, is %.60q", key, want, n.Value))
}

func (r *yamlReader) text(key string, n *yaml.Node, to *string) {
	switch {
	case n.Kind != yaml.ScalarNode:
		r.fail(key, "text", n)
	case isNull(n):
	default:
		*to = n.Value
	}
}

func (r *yamlReader) truth(key string, n *yaml.Node, to *bool) {
	v, ok := javaBool(n.Value)
	if n.Kind != yaml.ScalarNode || !ok {
		r.fail(key, "true or false", n)
		return
	}
	*to = v
}

func (r *yamlReader) number(key string, n *yaml.Node, to *int) {
	v, ok := javaInt(n.Value)
	if n.Kind != yaml.ScalarNode || !ok || !v.IsInt64() || v.Int64() != int64(int32(v.Int64())) {
		r.fail(key, "a number", n)
		return
	}
	*to = int(v.Int64())
}

func (r *yamlReader) key(key string, n *yaml.Node) {
	c := r.config
	texts := map[string]*string{
		"jobName": &c.Name, "cron": &c.Cron, "timeZone": &c.TimeZone, "description": &c.Description,
		"jobParameter": &c.Parameter, "shardingItemParameters": &c.ItemParameters, "label": &c.Label,
		"jobShardingStrategyType": &c.Strategy, "jobErrorHandlerType": &c.ErrorHandler,
		"jobExecutorServiceHandlerType": &c.Pool, "jobExecutorThreadPoolSizeProviderType": &c.Pool,
	}
	truths := map[string]*bool{
		"monitorExecution": &c.MonitorExecution, "failover": &c.Failover, "misfire": &c.Misfire,
		"disabled": &c.Disabled, "overwrite": &c.Overwrite, "staticSharding": &c.StaticSharding,
	}
	numbers := map[string]*int{
		"shardingTotalCount": &c.Shards, "maxTimeDiffSeconds": &c.MaxTimeDiff,
		"reconcileIntervalMinutes": &c.ReconcileIntervals,
	}
	c.OldPoolKey = c.OldPoolKey || key == "jobExecutorServiceHandlerType"
	c.NewPoolKey = c.NewPoolKey || key == "jobExecutorThreadPoolSizeProviderType"
	switch {
	case texts[key] != nil:
		r.text(key, n, texts[key])
	case truths[key] != nil:
		r.truth(key, n, truths[key])
	case numbers[key] != nil:
		r.number(key, n, numbers[key])
	case key == "jobListenerTypes":
		for _, item := range n.Content {
			c.Listeners = append(c.Listeners, aliased(item).Value)
		}
	case key == "jobExtraConfigurations":
		for _, item := range n.Content {
			if tag := aliased(item).Tag; strings.Contains(tag, "TracingConfiguration") {
				c.Tracing = true
			} else {
				c.Extra = append(c.Extra, strings.TrimPrefix(tag, "!!"))
			}
		}
	case key == "props":
		for i := 0; i+1 < len(n.Content); i += 2 {
			c.Props = append(c.Props, propOf(n.Content[i].Value, aliased(n.Content[i+1])))
		}
	default:
		c.Unknown = append(c.Unknown, key)
	}
}

func readJSON(text string) (*Config, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("it can't be read as JSON: %.200s", oneLine(err.Error()))
	}
	c := &Config{
		Dialect:            "2.1",
		MonitorExecution:   true,
		Misfire:            true,
		MaxTimeDiff:        -1,
		ReconcileIntervals: 10,
		MonitorPort:        -1,
	}
	var faults []error
	text2 := func(v any, to *string) {
		switch v := v.(type) {
		case string:
			*to = v
		case json.Number:
			*to = v.String()
		}
	}
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		v := doc[key]
		switch key {
		case "jobName":
			text2(v, &c.Name)
		case "jobClass":
			text2(v, &c.Class)
		case "jobType":
			var kind string
			if text2(v, &kind); kind == "SCRIPT" {
				c.Class = kind
			}
		case "cron":
			text2(v, &c.Cron)
		case "description":
			text2(v, &c.Description)
		case "jobParameter":
			text2(v, &c.Parameter)
		case "shardingItemParameters":
			text2(v, &c.ItemParameters)
		case "jobShardingStrategyClass":
			text2(v, &c.Strategy)
		case "scriptCommandLine":
			var line string
			text2(v, &line)
			c.Props = append(c.Props, Prop{Name: "script.command.line", Value: line, Text: line})
		case "streamingProcess":
			if v == true || v == "true" {
				c.Props = append(c.Props, Prop{Name: "streaming.process", Value: "true", Text: "true"})
			}
		case "jobProperties":
			properties, _ := v.(map[string]any)
			text2(properties["job_exception_handler"], &c.ErrorHandler)
			text2(properties["executor_service_handler"], &c.Pool)
		case "shardingTotalCount", "maxTimeDiffSeconds", "reconcileIntervalMinutes", "monitorPort":
			var digits string
			text2(v, &digits)
			n, err := strconv.ParseInt(digits, 10, 32)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: want a number, is %.60q", key, digits))
				continue
			}
			*map[string]*int{"shardingTotalCount": &c.Shards, "maxTimeDiffSeconds": &c.MaxTimeDiff,
				"reconcileIntervalMinutes": &c.ReconcileIntervals, "monitorPort": &c.MonitorPort}[key] = int(n)
		case "monitorExecution", "failover", "misfire", "disabled", "overwrite":
			truth := v == true || v == "true"
			*map[string]*bool{"monitorExecution": &c.MonitorExecution, "failover": &c.Failover, "misfire": &c.Misfire,
				"disabled": &c.Disabled, "overwrite": &c.Overwrite}[key] = truth
		default:
			c.Unknown = append(c.Unknown, key)
		}
	}
	return c, errors.Join(faults...)
}
