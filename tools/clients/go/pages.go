package musicstudio

import (
	"iter"
)

// Pages is a list that comes in pages. Nothing is sent before it is iterated over.
type Pages[Item, Page any] struct {
	get    func(offset *int, ifNoneMatch *string) (*Page, *Response, error)
	items  func(page *Page) []Item
	limit  func(page *Page) int
	offset *int
}

// All gives all items, page after page. An error is the last thing that it gives.
func (p *Pages[Item, Page]) All() iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for page, err := range p.Pages() {
			if err != nil {
				var nothing Item
				yield(nothing, err)
				return
			}
			for _, item := range p.items(page) {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// Pages gives every page; the last one has fewer items than its limit.
func (p *Pages[Item, Page]) Pages() iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) {
		for offset := p.offset; ; {
			page, _, err := p.get(offset, nil)
			if !yield(page, err) || err != nil {
				return
			}
			count := len(p.items(page))
			if count == 0 || count < p.limit(page) {
				return
			}
			next := count
			if offset != nil {
				next += *offset
			}
			offset = &next
		}
	}
}

// First gives the first page alone.
func (p *Pages[Item, Page]) First() (*Page, *Response, error) { return p.get(p.offset, nil) }

// ConditionalPages are pages of a list with an ETag.
type ConditionalPages[Item, Page any] struct{ Pages[Item, Page] }

// FirstUnless gives the first page, or none if the version with this ETag is still the newest.
func (p *ConditionalPages[Item, Page]) FirstUnless(ifNoneMatch string) (*Page, *Response, error) {
	return p.get(p.offset, &ifNoneMatch)
}
