package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
)

const (
	fieldsOnLine = 5
	tupleFields  = 3
	testLetters  = 45
)

// checkCode returns the breaches of the rules for dense code and test names.
func checkCode(file string, text []byte) ([]breach, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", file, err)
	}
	c := coder{file: file, set: set}
	ast.Inspect(tree, c.inspect)
	return c.found, nil
}

// coder collects breaches while it walks a syntax tree.
type coder struct {
	file  string
	set   *token.FileSet
	found []breach
}

func (c *coder) add(pos token.Pos, rule, text string) {
	c.found = append(c.found, breach{c.file, c.set.Position(pos).Line, rule, text})
}

func (c *coder) inspect(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CompositeLit:
		c.literal(n)
	case *ast.AssignStmt:
		if fields(n) >= tupleFields {
			c.add(n.Pos(), "dense-tuple", fmt.Sprintf("%d fields in one assignment", fields(n)))
		}
	case *ast.IfStmt:
		a, ok := n.Init.(*ast.AssignStmt)
		if ok && a.Tok == token.ASSIGN && fields(a) > 0 {
			c.add(n.Pos(), "dense-if", "a field is assigned before a condition")
		}
	case *ast.FuncDecl:
		c.test(n)
	}
	return true
}

// literal finds lines of a literal on which too many fields are set.
func (c *coder) literal(n *ast.CompositeLit) {
	onLine := map[int]int{}
	for _, e := range n.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if _, ok := kv.Key.(*ast.Ident); !ok {
			continue
		}
		line := c.set.Position(kv.Pos()).Line
		onLine[line]++
		if onLine[line] == fieldsOnLine {
			c.add(kv.Pos(), "dense-literal", "five or more fields on a line")
		}
	}
}

// fields returns the number of fields and elements on the left of a.
func fields(a *ast.AssignStmt) int {
	n := 0
	for _, e := range a.Lhs {
		switch e.(type) {
		case *ast.SelectorExpr, *ast.IndexExpr, *ast.StarExpr:
			n++
		}
	}
	return n
}

var testName = regexp.MustCompile(`^Test[A-Z0-9][A-Za-z0-9]*_[A-Z0-9][A-Za-z0-9]*$`)
var article = regexp.MustCompile(`_(A|An|The)[A-Z]`)

// test checks the name of a test.
func (c *coder) test(n *ast.FuncDecl) {
	name := n.Name.Name
	isTest := strings.HasSuffix(c.file, "_test.go") && n.Recv == nil && strings.HasPrefix(name, "Test")
	if !isTest || name == "TestMain" || takesNothing(n) {
		return
	}
	switch {
	case !testName.MatchString(name):
		c.add(n.Pos(), "test-name", name+": want Test<Area>_<Claim>")
	case len(name) > testLetters:
		c.add(n.Pos(), "test-name", fmt.Sprintf("%s: %d letters", name, len(name)))
	case article.MatchString(name):
		c.add(n.Pos(), "test-name", name+": the claim begins with an article")
	}
}

// takesNothing reports whether n has no parameters, so that it is no test.
func takesNothing(n *ast.FuncDecl) bool { return n.Type.Params.NumFields() == 0 }
