package gateway

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/tetradledger/tetrad/rpc"
)

// Formats lists the programs that Export writes a configuration for.
func Formats() []string { return []string{"haproxy", "nginx", "envoy"} }

//go:embed templates
var templates embed.FS

// plainAddress and plainPath are what may stand in a configuration of another program: nothing that it would read as more than an address.
var (
	plainAddress = regexp.MustCompile(`^[A-Za-z0-9.:\[\]*-]+$`)
	plainPath    = regexp.MustCompile(`^/[A-Za-z0-9._/-]+$`)
)

// Export writes a complete configuration of another program in a gateway's place: it listens on an address, or on
// unix:PATH, and passes requests on to the nodes that /v1/ready says are fit.
func Export(w io.Writer, format, listen string, nodes []string) error {
	if !slices.Contains(Formats(), format) {
		return fmt.Errorf("there is no format %q; take one of %v", format, Formats())
	}
	if len(nodes) == 0 {
		return fmt.Errorf("no node given")
	}
	hosts := make([]string, len(nodes))
	for i, node := range nodes {
		host, err := hostOf(node)
		if err != nil {
			return err
		}
		hosts[i] = host
	}
	path, socket := strings.CutPrefix(listen, "unix:")
	if socket && !plainPath.MatchString(path) || !socket && !isAddress(listen) {
		return fmt.Errorf("%q is neither HOST:PORT nor unix:PATH", listen)
	}
	if format == "envoy" {
		return exportEnvoy(w, listen, hosts)
	}
	data := struct {
		Hosts                      []string
		HAProxyListen, NginxListen string
		BodyBytesMax               int
	}{hosts, listen, listen, rpc.BatchBytesMax}
	if socket {
		data.HAProxyListen = "unix@" + path
	}
	name := map[string]string{"haproxy": "haproxy.cfg", "nginx": "nginx.conf"}[format]
	t, err := template.ParseFS(templates, "templates/"+name)
	if err != nil {
		panic("gateway: a template is wrong: " + err.Error())
	}
	return t.Execute(w, data)
}

// hostOf is the address of a node. These programs are given plain connections to it.
func hostOf(node string) (string, error) {
	u, err := url.Parse(strings.TrimRight(node, "/"))
	if err != nil || u.Scheme != "http" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Hostname() == "" {
		return "", fmt.Errorf("node %q: an export is for nodes of the form http://HOST:PORT; edit it where they speak TLS", node)
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "80")
	}
	if !isAddress(host) {
		return "", fmt.Errorf("node %q has no address of the form HOST:PORT", node)
	}
	return host, nil
}

func isAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	n, errPort := strconv.ParseUint(port, 10, 16)
	return err == nil && errPort == nil && n > 0 && plainAddress.MatchString(text)
}

// object is a part of a document for Envoy.
type object = map[string]any

// exportEnvoy writes JSON, which Envoy reads as well as YAML, and which cannot be indented wrongly.
func exportEnvoy(w io.Writer, listen string, hosts []string) error {
	var endpoints []any
	for _, host := range hosts {
		endpoints = append(endpoints, object{"endpoint": object{"address": envoyAddress(host)}})
	}
	const v3 = "type.googleapis.com/envoy.extensions."
	route := func(match object, timeout, idle string) object {
		return object{"match": match, "route": object{
			"cluster": "nodes", "timeout": timeout, "idle_timeout": idle,
			"retry_policy": object{
				"retry_on": "connect-failure,refused-stream,reset-before-request,retriable-status-codes", "retriable_status_codes": []int{503},
				"num_retries": 2, "host_selection_retry_max_attempts": 3,
				"retry_host_predicate": []any{object{
					"name":         "envoy.retry_host_predicates.previous_hosts",
					"typed_config": object{"@type": v3 + "retry.host.previous_hosts.v3.PreviousHostsPredicate"},
				}},
			},
		}}
	}
	manager := object{
		"@type": v3 + "filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "tetrad",
		"http_filters": []any{object{"name": "envoy.filters.http.router", "typed_config": object{"@type": v3 + "filters.http.router.v3.Router"}}},
		"route_config": object{"name": "tetrad", "virtual_hosts": []any{object{
			"name": "tetrad", "domains": []string{"*"}, "routes": []any{
				route(object{"path": rpc.PathEvents}, "0s", "10s"), route(object{"prefix": "/"}, "95s", "95s"),
			},
		}}},
	}
	document := object{"static_resources": object{
		"listeners": []any{object{"name": "tetrad", "address": envoyAddress(listen), "filter_chains": []any{object{
			"filters": []any{object{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}},
		}}}},
		"clusters": []any{object{
			"name": "nodes", "type": "STRICT_DNS", "connect_timeout": "1s", "lb_policy": "LEAST_REQUEST",
			"load_assignment": object{"cluster_name": "nodes", "endpoints": []any{object{"lb_endpoints": endpoints}}},
			"health_checks": []any{object{
				"timeout": "2s", "interval": "1s", "healthy_threshold": 2, "unhealthy_threshold": 2,
				"http_health_check": object{"path": rpc.PathReady, "host": "tetrad"},
			}},
			"outlier_detection": object{
				"consecutive_5xx": 5, "consecutive_gateway_failure": 5, "interval": "1s", "base_ejection_time": "5s", "max_ejection_percent": 33,
			},
		}},
	}}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}

// envoyAddress is an address that was checked.
func envoyAddress(text string) object {
	if path, socket := strings.CutPrefix(text, "unix:"); socket {
		return object{"pipe": object{"path": path}}
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		panic("gateway: an address was not checked: " + err.Error())
	}
	n, _ := strconv.Atoi(port) // checked, too
	if host == "" || host == "*" {
		host = "0.0.0.0"
	}
	return object{"socket_address": object{"address": host, "port_value": n}}
}
