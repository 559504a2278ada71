package jobfile

import (
	"encoding/json"
	"maps"
)

// Schema returns the JSON schema (draft 2020-12) of job files, for editors and
// other tools. It is made from the same declarations as the reader. A schema
// cannot express every rule, such as whether a schedule ever fires; [Read]
// checks those too.
func Schema() []byte {
	job := object(jobFields, "name")
	text, err := json.MarshalIndent(map[string]any{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                "Jobs",
		"type":                 "object",
		"additionalProperties": false,
		"required":             []string{"jobs"},
		"patternProperties":    map[string]any{"^x-": map[string]any{}},
		"properties":           map[string]any{"jobs": map[string]any{"type": "array", "items": job}},
	}, "", "  ")
	if err != nil {
		panic("jobfile: encode the schema: " + err.Error()) // maps of strings and numbers
	}
	return append(text, '\n')
}

// object returns the schema of a mapping.
func object[T any](fields []field[T], required ...string) map[string]any {
	properties := map[string]any{}
	for _, f := range fields {
		s := schemaOf(f.kind)
		maps.Copy(s, f.schema)
		s["description"] = f.words
		properties[f.name] = s
	}
	return map[string]any{
		"type":                 "object",
		"additionalProperties": false,
		"required":             required,
		"properties":           properties,
	}
}

// runSchema returns the schema of a "run" section: one of its two keys.
func runSchema() map[string]any {
	script := object(scriptFields, "path")
	script["description"] = "a program that each run starts; a run is described by ELASTICJOB_ variables"
	call := object(httpFields, "url")
	call["description"] = "an HTTP call that each run makes"
	return map[string]any{
		"additionalProperties": false,
		"minProperties":        1,
		"maxProperties":        1,
		"properties":           map[string]any{scriptKey: script, httpKey: call},
	}
}

// variablePattern matches a text that has a variable.
const variablePattern = `\$\{[^}]+\}`

// schemaOf returns the schema of a kind of value. A text with a variable can
// stand for a number or a boolean.
func schemaOf(k kind) map[string]any {
	text := map[string]any{"type": "string"}
	switch k {
	case durationKind:
		return map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|` + variablePattern}
	case instantKind:
		return map[string]any{"type": "string", "format": "date-time"}
	case numberKind:
		return orVariable("integer")
	case boolKind:
		return orVariable("boolean")
	case textsKind:
		return map[string]any{"type": "array", "items": text}
	case numbersKind:
		return map[string]any{"type": "array", "items": orVariable("integer")}
	case numberedKind, namedKind:
		return map[string]any{"type": "object", "additionalProperties": text}
	case sectionKind:
		return map[string]any{"type": "object"}
	}
	return text
}

// orVariable returns the schema of a type for which a variable can stand.
func orVariable(kind string) map[string]any {
	variable := map[string]any{"type": "string", "pattern": variablePattern}
	return map[string]any{"anyOf": []any{map[string]any{"type": kind}, variable}}
}
