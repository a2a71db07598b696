package client

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tetradledger/tetrad/ledger"
)

// Placed is a validator's power, and the region where it stands; empty: nobody knows.
type Placed struct {
	Name   string `json:"name"`
	Region string `json:"region"`
	Power  uint64 `json:"power"`
}

// Loss is what is left when a whole region is gone.
type Loss struct {
	Region     string   `json:"region"`
	Validators []string `json:"validators"`
	Power      uint64   `json:"power"`
	Left       uint64   `json:"power_left"`
	Survives   bool     `json:"survives"` // more than two thirds of the power are left
}

// Level is the loss of each region at one level of the hierarchy: 1 for eu, 2 for eu/de.
type Level struct {
	Level    int    `json:"level"`
	Losses   []Loss `json:"losses"`
	Survives bool   `json:"survives"` // whichever one region is lost
}

// Move is advice to run a validator elsewhere; without To, in a region where none is yet.
type Move struct {
	Validator string `json:"validator"`
	From      string `json:"from"`
	To        string `json:"to,omitempty"`
}

// Placement says which regions a set of validators can lose and still make blocks.
type Placement struct {
	TotalPower uint64  `json:"total_power"`
	Levels     []Level `json:"levels"`
	// Moves would make it survive the loss of any one region of the first level; none if it does, or if no placement
	// of these validators can.
	Moves  []Move   `json:"moves"`
	Advice []string `json:"advice"`
}

// CheckPlacement judges where validators stand. A region survives being lost if more than two thirds of all power stand
// elsewhere, so no region may hold a third. Three regions therefore never suffice: the largest holds a third or more,
// however power is split. Those whose region is not known count as one region, as if they stood together.
func CheckPlacement(validators []Placed) Placement {
	validators = slices.DeleteFunc(slices.Clone(validators), func(v Placed) bool { return v.Power == 0 })
	out := Placement{Levels: []Level{}, Moves: []Move{}}
	deepest := 1
	for _, v := range validators {
		out.TotalPower += v.Power
		deepest = max(deepest, 1+strings.Count(v.Region, "/"))
	}
	for level := range deepest {
		out.Levels = append(out.Levels, lossesAt(validators, level+1, out.TotalPower))
	}
	out.advise(validators)
	return out
}

// regionAt is the part of a region that a level sees.
func regionAt(region string, level int) string {
	parts := strings.SplitN(region, "/", ledger.RegionLevelsMax)
	return strings.Join(parts[:min(level, len(parts))], "/")
}

// spare reports whether so much power can be lost.
func spare(power, total uint64) bool { return 3*power < total }

func lossesAt(validators []Placed, level int, total uint64) Level {
	byRegion := map[string]*Loss{}
	for _, v := range validators {
		region := regionAt(v.Region, level)
		if byRegion[region] == nil {
			byRegion[region] = &Loss{Region: region}
		}
		loss := byRegion[region]
		loss.Validators, loss.Power = append(loss.Validators, v.Name), loss.Power+v.Power
	}
	out := Level{Level: level, Losses: []Loss{}, Survives: len(byRegion) > 0}
	for _, loss := range byRegion {
		loss.Left, loss.Survives = total-loss.Power, spare(loss.Power, total)
		out.Losses, out.Survives = append(out.Losses, *loss), out.Survives && loss.Survives
	}
	slices.SortFunc(out.Losses, func(a, b Loss) int {
		return cmp.Or(cmp.Compare(b.Power, a.Power), cmp.Compare(a.Region, b.Region))
	})
	return out
}

// advise says in words what is wrong at the first level, and what would mend it.
func (p *Placement) advise(validators []Placed) {
	say := func(format string, args ...any) { p.Advice = append(p.Advice, fmt.Sprintf(format, args...)) }
	p.Advice = []string{}
	if len(validators) == 0 {
		say("There is no validator with power.")
		return
	}
	first := p.Levels[0]
	if len(first.Losses) == 1 && first.Losses[0].Region == "" {
		say("No validator's region is known: operators register it with 'tetrad tx set-node', others approve of it with 'tetrad tx approve-region'.")
		return
	}
	if first.Survives {
		say("Any one region can be lost: each holds less than a third of the power.")
		return
	}
	if len(first.Losses) <= 3 {
		say("%s the loss of the largest, which holds a third or more however power is split: four regions are the least.",
			[]string{"", "One region never survives", "Two regions never survive", "Three regions never survive"}[len(first.Losses)])
	}
	for _, loss := range first.Losses {
		if !loss.Survives {
			say("%s holds %d of %d, a third or more: without it no blocks are made. To keep it as it is, add power of at least %d elsewhere, where no region comes to a third.",
				named(loss.Region), loss.Power, p.TotalPower, 3*loss.Power-p.TotalPower+1)
		}
	}
	for _, v := range validators {
		if !spare(v.Power, p.TotalPower) {
			say("%s alone holds %d of %d: no placement survives its loss. Spread the power over more validators, four at least.", v.Name, v.Power, p.TotalPower)
			return
		}
	}
	p.Moves = moves(validators, p.TotalPower)
	for _, m := range p.Moves {
		to := named(m.To)
		if m.To == "" {
			to = "a region of its own"
		}
		say("Move %s from %s to %s.", m.Validator, named(m.From), to)
	}
}

func named(region string) string {
	if region == "" {
		return "no known region"
	}
	return region
}

// moves takes validators out of regions that hold too much, the least powerful first, to where they fit.
func moves(validators []Placed, total uint64) []Move {
	at := slices.Clone(validators)
	for i := range at {
		at[i].Region = regionAt(at[i].Region, 1)
	}
	slices.SortStableFunc(at, func(a, b Placed) int { return cmp.Or(cmp.Compare(a.Power, b.Power), cmp.Compare(b.Name, a.Name)) })
	list, founded := []Move{}, 0
	for {
		losses := lossesAt(at, 1, total).Losses
		if losses[0].Survives {
			return list
		}
		i := slices.IndexFunc(at, func(v Placed) bool { return v.Region == losses[0].Region })
		to, isNew := "", true
		for _, loss := range losses {
			if loss.Region != "" && !strings.HasPrefix(loss.Region, "+") && spare(loss.Power+at[i].Power, total) {
				to, isNew = loss.Region, false // the last that fits is the lightest
			}
		}
		list = append(list, Move{Validator: at[i].Name, From: at[i].Region, To: to})
		if isNew {
			founded++
			to = fmt.Sprintf("+%d", founded) // no region has such a name
		}
		at[i].Region = to
	}
}
