package protocoltest

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Listed is a resource that a list has found.
type Listed struct {
	DisplayName string
	Identity    map[string]any
	// Resource is the resource as a state has it; nil if the list was not asked for it.
	Resource map[string]any
	Warnings []string // title, and text on further lines
}

// Query has a list, such as a `list` block of `terraform query` says it.
type Query struct {
	Config          map[string]any
	IncludeResource bool
	Limit           int64 // 100 if zero, as in core
}

// defaultLimit is that of core.
const defaultLimit = 100

// List lists the instances of the resource, as core does for one `list` block. Warnings that
// come without a resource are returned apart.
func (c *Core) List(ctx context.Context, query Query) (listed []Listed, general []string, err error) {
	w, err := c.start(ctx)
	if err != nil {
		return nil, nil, err
	}
	server, ok := w.served.(tfprotov6.ListResourceServer)
	if !ok {
		return nil, nil, errors.New("the provider serves no list resources")
	}
	schemas, err := w.served.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return nil, nil, err
	}
	schema, ok := schemas.ListResourceSchemas[w.Resource]
	if !ok {
		return nil, nil, fmt.Errorf("the provider has no list resource %s", w.Resource)
	}
	identities, err := w.served.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		return nil, nil, err
	}
	identity := identities.IdentitySchemas[w.Resource].ValueType()
	config := dynamic(valueOf(schema.ValueType(), query.Config))
	validated, err := server.ValidateListResourceConfig(ctx, &tfprotov6.ValidateListResourceConfigRequest{
		TypeName: w.Resource, Config: config,
	})
	if err != nil || failure(validated.Diagnostics, nil) != nil {
		return nil, nil, fmt.Errorf("validating: %w", errors.Join(err, failure(validated.Diagnostics, nil)))
	}
	limit := query.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	stream, err := server.ListResource(ctx, &tfprotov6.ListResourceRequest{
		TypeName: w.Resource, Config: config, IncludeResource: query.IncludeResource, Limit: limit,
	})
	if err != nil {
		return nil, nil, err
	}
	for result := range stream.Results {
		if err := failure(result.Diagnostics, nil); err != nil {
			return listed, general, err // core ends the list
		}
		if result.Identity == nil {
			general = append(general, warnings(result.Diagnostics)...)
			continue
		}
		one := Listed{DisplayName: result.DisplayName, Warnings: warnings(result.Diagnostics)}
		if one.Identity, err = plainObject(result.Identity.IdentityData, identity); err != nil {
			return listed, general, err
		}
		if result.Resource != nil {
			if one.Resource, err = plainObject(result.Resource, w.typ); err != nil {
				return listed, general, err
			}
		}
		if listed = append(listed, one); int64(len(listed)) == limit {
			break
		}
	}
	return listed, general, nil
}

// plainObject decodes an object.
func plainObject(value *tfprotov6.DynamicValue, typ tftypes.Type) (map[string]any, error) {
	decoded, err := value.Unmarshal(typ)
	if err != nil {
		return nil, err
	}
	object, ok := plain(decoded).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%v is no object", decoded)
	}
	return object, nil
}
