package report

import (
	"encoding/json"
	"io"

	"weir/interop/conform"
)

// entry is a case in Autobahn's index.json.
type entry struct {
	Behavior        conform.Verdict `json:"behavior"`
	BehaviorClose   conform.Verdict `json:"behaviorClose"`
	Duration        int64           `json:"duration"`        // milliseconds
	RemoteCloseCode *int            `json:"remoteCloseCode"` // null: the peer sent none
	ReportFile      string          `json:"reportfile"`      // the page of the case, in the folder of WriteHTML
}

// WriteJSON writes the layout of Autobahn's index.json: by agent, which is a column's name here,
// then by case.
func (r *Report) WriteJSON(w io.Writer) error {
	index := map[string]map[string]entry{}
	v := r.view()
	for i, c := range v.columns {
		cases := map[string]entry{}
		index[c.Name] = cases
		for _, g := range v.groups {
			for _, row := range g.rows {
				res := row.cells[i]
				if res == nil {
					continue
				}
				cases[row.ID] = entry{res.Body, res.Close, res.Duration.Milliseconds(), res.Code, pageName(row.ID)}
			}
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(index)
}

// pageName is the file of a case's page.
func pageName(id string) string { return "case-" + fileName(id) + ".html" }

// fileName is a name that is safe in a file's name, in a URL and in an attribute.
func fileName(s string) string {
	b := []byte(s)
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-':
		default:
			b[i] = '_'
		}
	}
	return string(b)
}
