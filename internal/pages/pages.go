// Package pages reads the pages of docs, and type-checks the Go that they show: their blocks of
// code, and the code that stands in the cells of their tables. Only tests import it.
package pages

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Page is what a page of docs shows, with the lines where it stands.
type Page struct {
	Path   string
	Blocks []Block
	Rows   []Row
}

// Block is a fenced block of code.
type Block struct {
	Line int    // of its first line of code
	Lang string // "go", "erlang" and so on; "" if it says none
	Text string
}

// Row is a row of a table, its head apart.
type Row struct {
	Line    int
	Section string // the heading above it, without its marks
	Cells   []Cell
}

// Cell is one cell of a Row.
type Cell struct {
	Column string // the text of the table's head; empty where the head is
	Text   string
}

var spans = regexp.MustCompile("`([^`]+)`")

// Code lists what stands between backticks in the cell. `\|` is a bar, as tables write it.
func (c Cell) Code() []string {
	var list []string
	for _, m := range spans.FindAllStringSubmatch(c.Text, -1) {
		list = append(list, strings.ReplaceAll(m[1], `\|`, "|"))
	}
	return list
}

// Read reads a page.
func Read(path string) (*Page, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	p.Path = path
	return p, nil
}

func parse(text string) (*Page, error) {
	p := new(Page)
	section := ""
	var head []string // of the table that the line before stands in
	block := -1       // the line of the fence that is open
	for i, line := range strings.Split(text, "\n") {
		if lang, fence := strings.CutPrefix(line, "```"); fence {
			if block < 0 {
				block = i
				p.Blocks = append(p.Blocks, Block{Line: i + 2, Lang: lang})
			} else {
				block = -1
			}
			continue
		}
		if block >= 0 {
			p.Blocks[len(p.Blocks)-1].Text += line + "\n"
			continue
		}
		if !strings.HasPrefix(line, "|") {
			head = nil
			if strings.HasPrefix(line, "#") {
				section = strings.TrimSpace(strings.TrimLeft(line, "#"))
			}
			continue
		}
		cells := split(line)
		switch {
		case head == nil:
			head = cells
		case strings.Trim(line, "|-: ") == "":
		case len(cells) != len(head):
			return nil, fmt.Errorf("%d: %d cells under a head of %d", i+1, len(cells), len(head))
		default:
			r := Row{Line: i + 1, Section: section}
			for n, c := range cells {
				r.Cells = append(r.Cells, Cell{head[n], c})
			}
			p.Rows = append(p.Rows, r)
		}
	}
	if block >= 0 {
		return nil, fmt.Errorf("%d: a block of code without an end", block+1)
	}
	return p, nil
}

// split gives the cells of a table's line. A bar behind a backslash is none of the table's.
func split(line string) []string {
	line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "|"), "|")
	var cells []string
	from := 0
	for i := range len(line) {
		if line[i] == '|' && (i == 0 || line[i-1] != '\\') {
			cells = append(cells, strings.TrimSpace(line[from:i]))
			from = i + 1
		}
	}
	return append(cells, strings.TrimSpace(line[from:]))
}
