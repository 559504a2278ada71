package main

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/go-zookeeper/zk"
)

// buildRelease returns the program as a release has it.
func buildRelease(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "elasticctl")
	cmd := exec.Command("go", "build", "-o", file, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

// The program of a release is one file: it needs no loader and no library. Two
// of it, as processes that know nothing of each other, watch one namespace: all
// blocked shards are freed, each mark is deleted once, no pin is left, and both
// end in good order.
func TestRelease_StaticAndTwoJanitors(t *testing.T) {
	if testing.Short() {
		t.Skip("the build takes minutes when nothing of it is cached")
	}
	program := buildRelease(t)
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	if err != nil || len(libraries) > 0 {
		t.Errorf("the program needs libraries: %v (%v)", libraries, err)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program has a segment %v, so it is not static", p.Type)
		}
	}

	server := testservers.StartZooKeeper(t, "maxSessionTimeout=2000")
	conn := connect(t, server)
	const jobs = 12
	marks := map[string]bool{}
	for i := range jobs {
		base := fmt.Sprintf("/ns/job-%d", i)
		mark := base + "/sharding/0/running"
		marks[mark] = true
		tree(t, conn, zk.WorldACL(zk.PermAll),
			base, "com.acme.J",
			base+"/config", "cron: 0/10 * * * * ?\nfailover: true\nmonitorExecution: true\nshardingTotalCount: 1\n",
			base+"/servers/10.0.0.1", "ENABLED",
			base+"/instances/10.0.0.1@-@8", "E x",
			base+"/sharding/0/instance", "10.0.0.1@-@8",
			mark, "10.0.0.2@-@7",
		)
	}
	dir := t.TempDir()
	var janitors []*exec.Cmd
	var outputs [2]bytes.Buffer
	for i := range outputs {
		cmd := exec.Command(program, "elasticjob", "doctor", "--from", "zookeeper://"+server.Addr()+"/ns",
			"--repair", "--watch", "--settle", "1s", "--every", "300ms", "--audit", filepath.Join(dir, fmt.Sprint(i)))
		cmd.Stdout, cmd.Stderr = &outputs[i], &outputs[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		janitors = append(janitors, cmd)
	}
	end := time.Now().Add(2 * time.Minute)
	for mark := range marks {
		for {
			there, _, err := conn.Exists(mark)
			if err != nil {
				t.Fatal(err)
			}
			if !there {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s is still there", mark)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	repaired := 0
	for i, cmd := range janitors {
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := cmd.Wait(); err != nil {
			t.Errorf("janitor %d: %v\n%s", i, err, outputs[i].String())
		}
		text, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var a struct{ Write, Path string }
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatal(err)
			}
			if !marks[a.Path] || a.Write != "delete" {
				t.Errorf("janitor %d wrote %s", i, line)
			}
		}
		repaired += strings.Count(outputs[i].String(), "    repaired\n")
	}
	if repaired != jobs {
		t.Errorf("the two told of %d repairs, want %d", repaired, jobs)
	}
	for mark := range marks {
		names, _, err := conn.Children(strings.TrimSuffix(mark, "/running"))
		if err != nil || len(names) != 1 {
			t.Errorf("%s: left are %v (%v), want the instance", mark, names, err)
		}
	}
}
