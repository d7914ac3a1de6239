package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/traefik/traefik/v3/pkg/provider"
)

// This stands in for Traefik's plugin interpreters (a Go interpreter with the symbols of
// the whole standard library, and a WebAssembly engine). A plugin that is configured is
// refused when Traefik starts.
var errLeftOut = errors.New("plugins are left out of this build of Traefik")

// Constructor creates a plugin handler.
type Constructor func(context.Context, http.Handler) (http.Handler, error)

// PP is the interface of a plugin's provider.
type PP interface {
	Init() error
	Provide(cfgChan chan<- json.Marshaler) error
	Stop() error
}

// Builder builds nothing.
type Builder struct{}

// NewBuilder refuses any plugin.
func NewBuilder(_ *Manager, remote map[string]Descriptor, local map[string]LocalDescriptor) (*Builder, error) {
	if len(remote)+len(local) > 0 {
		return nil, errLeftOut
	}
	return &Builder{}, nil
}

// Build refuses.
func (b Builder) Build(string, map[string]interface{}, string) (Constructor, error) {
	return nil, errLeftOut
}

// BuildProvider refuses.
func (b Builder) BuildProvider(string, map[string]interface{}) (provider.Provider, error) {
	return nil, errLeftOut
}
