"""The decoder reads image tokens by other queries, repeated to their number."""

import torch
from torch.nn import functional

from synfiqa.actors.nets.fiqa.dsl.attention import ChannelAttention
from synfiqa.actors.nets.fiqa.dsl.query_decoder import QueryAttention, QueryBlock


def test_attention_is_that_of_torch_with_these_queries():
    torch.manual_seed(0)
    attention, tokens, queries = QueryAttention(16, 2), torch.randn(3, 9, 16), torch.randn(3, 9, 16)
    weight = torch.cat([attention.q.weight, attention.kv.weight])
    expected, _ = functional.multi_head_attention_forward(
        *(part.transpose(0, 1) for part in (queries, tokens, tokens)),
        embed_dim_to_check=16,
        num_heads=2,
        in_proj_weight=weight,
        in_proj_bias=torch.cat([attention.q.bias, attention.kv.bias]),
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=attention.proj.weight,
        out_proj_bias=attention.proj.bias,
    )
    assert torch.allclose(attention(tokens, queries), expected.transpose(0, 1), atol=1e-5)


def test_fewer_queries_are_repeated_to_the_number_of_tokens():
    torch.manual_seed(0)
    attention, tokens, queries = QueryAttention(16, 2), torch.randn(1, 12, 16), torch.randn(1, 4, 16)
    assert torch.allclose(attention(tokens, queries), attention(tokens, queries.repeat_interleave(3, 1)), atol=1e-6)


def test_a_block_without_queries_reads_by_its_own_tokens():
    torch.manual_seed(0)
    block, tokens = QueryBlock(16, 2, 2.0, 0.0).eval(), torch.randn(1, 9, 16)
    assert torch.allclose(block(tokens, None, 3), block(tokens, block.norm1(tokens), 3), atol=1e-6)


def test_channel_attention_mixes_channels_and_can_keep_the_published_order():
    torch.manual_seed(0)
    plain, x = ChannelAttention(6, 0.0, permuted=False).eval(), torch.randn(2, 4, 6)
    published = ChannelAttention(6, 0.0).eval()
    published.load_state_dict(plain.state_dict())
    mixed = plain(x) - x
    assert torch.allclose(published(x) - x, mixed.transpose(1, 2).reshape(2, 4, 6), atol=1e-6)
    weights = torch.softmax(plain.c_q(x) @ plain.c_k(x).transpose(1, 2) * 6**-0.5, -1)
    assert torch.allclose(mixed, weights @ plain.c_v(x), atol=1e-6)
