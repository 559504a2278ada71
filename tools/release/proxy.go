package main

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// publish writes a module's files as they are now into the file proxy, in the
// form that a proxy would make of its tag. See https://go.dev/ref/mod#goproxy-protocol.
func (r *release) publish(m *module) error {
	dir := filepath.Join(r.proxy, filepath.FromSlash(m.path), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make a directory of the proxy: %w", err)
	}
	files, err := r.files(m)
	if err != nil {
		return err
	}
	goMod, err := os.ReadFile(filepath.Join(r.root, m.dir, "go.mod"))
	if err != nil {
		return fmt.Errorf("read a module file: %w", err)
	}
	info := fmt.Sprintf(`{"Version":%q,"Time":%q}`, r.version, time.Now().UTC().Format(time.RFC3339))
	for name, text := range map[string]string{
		"list":              r.version + "\n",
		r.version + ".info": info,
		r.version + ".mod":  string(goMod),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write into the proxy: %w", err)
		}
	}
	archive, err := os.Create(filepath.Join(dir, r.version+".zip"))
	if err != nil {
		return fmt.Errorf("write into the proxy: %w", err)
	}
	defer archive.Close()
	z := zip.NewWriter(archive)
	for _, f := range files {
		if err := copyFile(z, m.path+"@"+r.version+"/"+f.name, f.disk); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write into the proxy: %w", err)
	}
	return archive.Close()
}

// file is a file of a module: its name there, and where it is.
type file struct{ name, disk string }

// files returns the files of a module: those that git knows below its
// directory, but for nested modules. A module without a licence gets that of
// the repository, as the go command does it.
func (r *release) files(m *module) ([]file, error) {
	list, err := command{dir: filepath.Join(r.root, m.dir)}.output("git", "ls-files")
	if err != nil {
		return nil, err
	}
	names := strings.Split(list, "\n")
	nested := map[string]bool{}
	for _, name := range names {
		if path.Base(name) == "go.mod" && name != "go.mod" {
			nested[path.Dir(name)] = true
		}
	}
	var files []file
	for _, name := range names {
		disk := filepath.Join(r.root, m.dir, filepath.FromSlash(name))
		about, err := os.Lstat(disk)
		if err != nil {
			return nil, fmt.Errorf("look at a file of %s: %w", m.path, err)
		}
		if inNested(name, nested) || !about.Mode().IsRegular() {
			continue
		}
		files = append(files, file{name, disk})
	}
	if !slices.Contains(names, "LICENSE") {
		files = append(files, file{"LICENSE", filepath.Join(r.root, "LICENSE")})
	}
	return files, nil
}

// inNested reports whether a directory above name is a nested module.
func inNested(name string, nested map[string]bool) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if nested[dir] {
			return true
		}
	}
	return false
}

func copyFile(z *zip.Writer, name, disk string) error {
	from, err := os.Open(disk)
	if err != nil {
		return fmt.Errorf("read a file of a module: %w", err)
	}
	defer from.Close()
	to, err := z.Create(name)
	if err != nil {
		return fmt.Errorf("write into the proxy: %w", err)
	}
	if _, err := io.Copy(to, from); err != nil {
		return fmt.Errorf("write into the proxy: %w", err)
	}
	return nil
}
