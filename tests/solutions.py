"""Solutions of the assignments: wrong ones, half-done ones, and right ones that are unlike ours.

A wrong one is ours with a few words changed: (what is wrong, the cell, [(old, new), …], the test
that must find it).
"""

WRONG = {
    '1_gradients': [
        ('forgets the weights', 'chain', [('w * a * (1 - a)', 'a * (1 - a)')],
         'test_chain_values'),
        ('forgets the inner derivative', 'chain', [('w * a * (1 - a)', 'w * a')],
         'test_chain_values'),
        ('the bound instead of the value', 'chain', [('w * a * (1 - a)', 'w / 4')],
         'test_chain_values'),
        ('0 for no layer', 'chain', [('    a, gradient', '    if not weights:\n        return 0.\n'
                                      '    a, gradient')], 'test_chain_deep'),
        ('x as the direct term', 'terms', [('nd.ones_like(x)', 'x')], 'test_direct'),
        ('the terms swapped', 'terms', [('nd.ones_like(x), x.grad', 'x.grad, nd.ones_like(x)')],
         'test_direct'),
        ('both terms in the second', 'terms', [('x.grad', 'x.grad + 1')], 'test_through'),
        ('the gradient of F(F(x))', 'terms', [('block(x).sum', 'block(block(x)).sum')],
         'test_through'),
        ('training mode', 'terms', [('train_mode=False', 'train_mode=True')], 'test_mode'),
        ('training mode in the backward pass', 'terms',
         [('backward(train_mode=False)', 'backward()')], 'test_mode'),
        ('test errors for degradation', 'diagnose', [("gap('train')", "gap('test')")],
         'test_diagnose'),
        ('no tolerance', 'diagnose', [('>= 1', '> 0')], 'test_diagnose'),
        ('one point as noise', 'diagnose', [('>= 1', '> 1')], 'test_diagnose'),
        ('one point of test error as noise', 'diagnose', [("gap('test') >= 1", "gap('test') > 1")],
         'test_diagnose'),
        ('first errors instead of last', 'diagnose', [('[-1]', '[0]')], 'test_diagnose'),
    ],
    '2_residual_block': [
        ('no shortcut', 'residual', [('relu(out + x)', 'relu(out)')], 'test_identity'),
        ('one BN twice', 'residual', [('self.bn2(self.conv2', 'self.bn1(self.conv2')],
         'test_counts'),
        ('ReLU before the addition', 'residual', [('nd.relu(out + x)', 'nd.relu(out) + x')],
         'test_identity'),
        ('no ReLU at the end', 'residual', [('nd.relu(out + x)', 'out + x')], 'test_identity'),
        ('ReLU on the identity path', 'residual', [('out + x', 'out + nd.relu(x)')],
         'test_predict'),
        ('BN on the identity path', 'residual',
         [('self.bn2 = nn.BatchNorm()', 'self.bn2, self.bn3 = nn.BatchNorm(), nn.BatchNorm()'),
          ('out + x', 'out + self.bn3(x)')], 'test_identity'),
        ('1 × 1 with padding 0 for 3 × 3', 'residual', [('size=3, padding=1', 'size=1, padding=0')],
         'test_counts'),
        ('3 × 3 without padding', 'residual', [('size=3, padding=1', 'size=3, padding=0')],
         'test_shapes'),
        ('a padded 1 × 1', 'residual', [('size=1, strides', 'size=1, padding=1, strides')],
         'test_shapes'),
        ('projection everywhere', 'residual', [('if not same_shape', 'if True'),
                                               ('if not self.same_shape', 'if True')],
         'test_counts'),
        ('pooling instead of stride', 'residual',
         [('padding=1, strides=strides', 'padding=1'),
          ('out = self.bn2(', 'out = out if self.same_shape else nd.Pooling(\n            out, '
           "kernel=(2, 2), stride=(2, 2), pool_type='avg', pooling_convention='full')\n"
           '        out = self.bn2(')], 'test_halving'),
        ('stride on the second convolution', 'residual',
         [('padding=1, strides=strides', 'padding=1'),
          ('self.conv2 = nn.Conv2D(channels, kernel_size=3, padding=1',
           'self.conv2 = nn.Conv2D(channels, kernel_size=3, padding=1, strides=strides')],
         'test_halving'),
        ('no ReLU in between', 'residual', [('nd.relu(self.bn1(self.conv1(x)))',
                                             'self.bn1(self.conv1(x))')], 'test_predict'),
        ('ReLU before BN', 'residual', [('nd.relu(self.bn1(self.conv1(x)))',
                                         'self.bn1(nd.relu(self.conv1(x)))')], 'test_predict'),
        ('no second BN', 'residual', [('self.bn2(self.conv2(out))', 'self.conv2(out)')],
         'test_counts'),
        ('no biases', 'residual', [('padding=1', 'padding=1, use_bias=False')], 'test_counts'),
        ('the first activation on the shortcut', 'residual',
         [('out = self.bn2', 'x = out if self.same_shape else x\n        out = self.bn2')],
         'test_identity'),
        ('BN with running statistics only', 'residual',
         [('nn.BatchNorm()', 'nn.BatchNorm(use_global_stats=True)')], 'test_train'),
        ('a shortcut without gradient', 'residual', [('out + x', 'out + x.detach()')],
         'test_gradients'),
        ('zeros in front', 'zero_pad', [('concat(x, zeros', 'concat(zeros, x')],
         'test_pad_values'),
        ('the other pixels', 'zero_pad', [('::2, ::2', '1::2, 1::2')], 'test_pad_values'),
        ('the mean of 2 × 2 pixels', 'zero_pad',
         [('x[:, :, ::2, ::2]', "nd.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type='avg')")],
         'test_pad_values'),
        ('twice the channels always', 'zero_pad',
         [('channels - x.shape[1], *', 'x.shape[1], *')], 'test_pad_any'),
        ('copies instead of zeros', 'zero_pad', [('nd.concat(x, zeros', 'nd.concat(x, x')],
         'test_pad_values'),
        ('by way of NumPy', 'zero_pad', [('x[:, :, ::2, ::2]',
                                          'nd.array(x.asnumpy()[:, :, ::2, ::2])')],
         'test_pad_gradient'),
    ],
    '3_deeper_resnets': [
        ('a tuple', 'stage_blocks', [('return table[depth]', 'return tuple(table[depth])')],
         'test_blocks'),
        ('101 as 152', 'stage_blocks', [('[3, 4, 23, 3]', '[3, 8, 36, 3]')], 'test_blocks'),
        ('KeyError', 'stage_blocks', [('if depth not in table', 'if False')], 'test_blocks_error'),
        ('None for other depths', 'stage_blocks', [
            ("raise ValueError(f'depth is one of {list(table)}, not {depth}')", 'return None')],
         'test_blocks_error'),
        ('a window of fixed size', 'resnet', [('nn.GlobalAvgPool2D()', 'nn.AvgPool2D(3)')],
         'test_shapes'),
        ('a mean for 224 pixels only', 'resnet', [('nn.GlobalAvgPool2D()', 'nn.AvgPool2D(7)')],
         'test_shapes'),
        ('always ten classes', 'resnet', [('nn.Dense(num_classes)', 'nn.Dense(10)')],
         'test_shapes'),
        ('no BN in the stem', 'resnet', [('*conv_bn(64, 7, stride=2)', 'conv_bn(64, 7, 2)[0]')],
         'test_counts'),
        ('a bias in the stem', 'resnet', [('*conv_bn(64, 7, stride=2)',
                                           'nn.Conv2D(64, 7, 2, 3), nn.BatchNorm()')],
         'test_counts'),
        ('projection everywhere', 'resnet', [('1, shrinks)', '1, True)')], 'test_counts'),
        ('a projection in stage 1', 'resnet', [('1, shrinks)', '1, i == 0)')], 'test_counts'),
        ('always 18 layers', 'resnet', [('stage_blocks(depth)', 'stage_blocks(18)')],
         'test_counts'),
        ('one block again and again', 'resnet',
         [('                self.net.add(BasicBlock(64 * 2 ** stage, 2 if shrinks else 1, '
           'shrinks))',
           '                if i < 2:\n                    block = BasicBlock(64 * 2 ** stage, '
           '2 if shrinks else 1, shrinks)\n                self.net.add(block)')], 'test_counts'),
        ('stage 1 halves too', 'resnet', [('stage > 0 and i == 0', 'i == 0')], 'test_stages'),
        ('the last block halves', 'resnet', [('i == 0', 'i == number - 1')], 'test_stages'),
        ('no max-pooling', 'resnet', [('nn.MaxPool2D(pool_size=3, strides=2, padding=1)',
                                       "nn.Activation('relu')")], 'test_stages'),
        ('max-pooling without padding', 'resnet', [('strides=2, padding=1', 'strides=2')],
         'test_stages'),
        ('mean-pooling in the stem', 'resnet', [('nn.MaxPool2D', 'nn.AvgPool2D')], 'test_predict'),
        ('no ReLU in the stem', 'resnet', [("nn.Activation('relu'),", '')], 'test_predict'),
        ('maximum of each map', 'resnet', [('GlobalAvgPool2D', 'GlobalMaxPool2D')],
         'test_predict'),
        ('softmax at the end', 'resnet', [('return self.net(x)', 'return self.net(x).softmax()')],
         'test_predict'),
        ('no gradient for the first stages', 'resnet', [
            ('return self.net(x)', 'for i, layer in enumerate(self.net):\n            '
             'x = layer(x).detach() if i == 5 else layer(x)\n        return x')],
         'test_gradients'),
    ],
    '4_bottleneck': [
        ('stride on the first 1 × 1', 'bottleneck',
         [('conv_bn(channels, 1)', 'conv_bn(channels, 1, stride)'),
          ('conv_bn(channels, 3, stride)', 'conv_bn(channels, 3)')], 'test_stride'),
        ('stride on the last 1 × 1', 'bottleneck',
         [('conv_bn(4 * channels, 1))\n        self', 'conv_bn(4 * channels, 1, stride))\n'
           '        self'), ('conv_bn(channels, 3, stride)', 'conv_bn(channels, 3)')],
         'test_stride'),
        ('pooling instead of stride', 'bottleneck',
         [('conv_bn(channels, 3, stride)',
           'conv_bn(channels, 3), nn.AvgPool2D(stride, ceil_mode=True)')], 'test_stride'),
        ('biases', 'bottleneck', [('use_bias=False', 'use_bias=True')], 'test_counts'),
        ('no shortcut', 'bottleneck', [('self.body(x) + self.downsample(x)', 'self.body(x)')],
         'test_identity'),
        ('projection everywhere', 'bottleneck', [('if downsample', 'if True')], 'test_counts'),
        ('no projection where shapes agree', 'bottleneck',
         [('        if downsample:', '        self.given = downsample\n        if downsample:'),
          ('return nd.relu(self.body(x) + self.downsample(x))',
           'body = self.body(x)\n        return nd.relu(\n            '
           'body + (x if body.shape == x.shape else self.downsample(x)))')], 'test_counts'),
        ('projection for stride only', 'bottleneck', [('if downsample', 'if stride > 1')],
         'test_shapes'),
        ('projection without BN', 'bottleneck',
         [('*conv_bn(4 * channels, 1, stride))', 'conv_bn(4 * channels, 1, stride)[0])')],
         'test_counts'),
        ('stride left out on the shortcut', 'bottleneck',
         [('conv_bn(4 * channels, 1, stride)', 'conv_bn(4 * channels, 1)')], 'test_shapes'),
        ('one BN twice', 'bottleneck',
         [('self.body.add(*conv_bn(channels, 1), ',
           'self.body.add(*conv_bn(channels, 1))\n        self.body.add('),
          ('*conv_bn(channels, 3, stride)', 'conv_bn(channels, 3, stride)[0], self.body[1]')],
         'test_counts'),
        ('ReLU before the addition', 'bottleneck',
         [('nd.relu(self.body(x) + self.downsample(x))',
           'nd.relu(self.body(x)) + self.downsample(x)')], 'test_identity'),
        ('no ReLU at the end', 'bottleneck',
         [('nd.relu(self.body(x) + self.downsample(x))', 'self.body(x) + self.downsample(x)')],
         'test_identity'),
        ('ReLU on the shortcut', 'bottleneck',
         [('+ self.downsample(x)', '+ nd.relu(self.downsample(x))')], 'test_predict'),
        ('BN on the identity path', 'bottleneck',
         [('        if downsample:', '        if not downsample:\n            '
           'self.downsample.add(nn.BatchNorm())\n        if downsample:')], 'test_identity'),
        ('no ReLU behind the 3 × 3', 'bottleneck',
         [("stride), nn.Activation('relu')", 'stride)')], 'test_predict'),
        ('ReLU behind the last BN too', 'bottleneck',
         [('conv_bn(4 * channels, 1))\n        self',
           "conv_bn(4 * channels, 1), nn.Activation('relu'))\n        self")], 'test_predict'),
        ('not widened', 'bottleneck', [('4 * channels', 'channels')], 'test_shapes'),
        ('a 3 × 3 without padding', 'bottleneck', [('kernel_size // 2', '0')], 'test_shapes'),
        ('two 3 × 3', 'bottleneck', [('conv_bn(channels, 1)', 'conv_bn(channels, 3)')],
         'test_counts'),
        ('BN with running statistics only', 'bottleneck',
         [('nn.BatchNorm()', 'nn.BatchNorm(use_global_stats=True)')], 'test_train'),
        ('a shortcut without gradient', 'bottleneck',
         [('+ self.downsample(x)', '+ self.downsample(x).detach()')], 'test_gradients'),
    ],
    '5_preactivation': [
        ('the original order', 'unit',
         [('active = nd.relu(self.bn1(x))', 'active = x'),
          ('self.conv2(nd.relu(self.bn2(self.conv1(active))))',
           'self.bn2(self.conv2(nd.relu(self.bn1(self.conv1(active)))))')], 'test_predict'),
        ('ReLU behind the addition', 'unit', [
            ('return out + (self.conv3(active) if self.conv3 else x)',
             'return nd.relu(out + (self.conv3(active) if self.conv3 else x))')], 'test_identity'),
        ('ReLU-only pre-activation', 'unit',
         [('nd.relu(self.bn1(x))', 'nd.relu(x)'),
          ('self.conv2(nd.relu(self.bn2(self.conv1(active))))',
           'self.bn2(self.conv2(nd.relu(self.bn1(self.conv1(active)))))')], 'test_predict'),
        ('ReLU before BN', 'unit', [('nd.relu(self.bn1(x))', 'self.bn1(nd.relu(x))')],
         'test_predict'),
        ('BN and ReLU on the identity path', 'unit', [('self.conv3 else x', 'self.conv3 else '
                                                       'active')], 'test_identity'),
        ('BN on the identity path', 'unit', [('self.conv3 else x', 'self.conv3 else self.bn1(x)')],
         'test_identity'),
        ('projection of the raw x', 'unit', [('self.conv3(active)', 'self.conv3(x)')],
         'test_predict'),
        ('no shortcut', 'unit',
         [('out + (self.conv3(active) if self.conv3 else x)', 'out')], 'test_identity'),
        ('one BN twice', 'unit', [('self.bn2(self.conv1', 'self.bn1(self.conv1')], 'test_counts'),
        ('biases', 'unit', [(', use_bias=False', '')], 'test_counts'),
        ('projection everywhere', 'unit',
         [('None if same_shape else nn.Conv2D(channels, 1, strides=2',
           'nn.Conv2D(channels, 1, strides=strides')], 'test_counts'),
        ('stride on the second convolution', 'unit',
         [('3, strides=strides, padding=1', '3, padding=1'),
          ('self.conv2 = nn.Conv2D(channels, 3', 'self.conv2 = nn.Conv2D(channels, 3, strides='
           'strides')], 'test_shapes'),
        ('pooling instead of stride', 'unit',
         [('3, strides=strides, padding=1', '3, padding=1'),
          ('return out +', 'if self.conv3:\n            out = nd.Pooling(out, kernel=(2, 2), '
           "stride=(2, 2), pool_type='avg',\n                             "
           "pooling_convention='full')\n        return out +")], 'test_shapes'),
        ('no second ReLU', 'unit', [('nd.relu(self.bn2(self.conv1(active)))',
                                     'self.bn2(self.conv1(active))')], 'test_predict'),
        ('BN with running statistics only', 'unit',
         [('nn.BatchNorm()', 'nn.BatchNorm(use_global_stats=True)')], 'test_train'),
        ('a shortcut without gradient', 'unit', [('self.conv3 else x)', 'self.conv3 else '
                                                  'x.detach())')], 'test_gradients'),
        ('a first unit like all others', 'net',
         [('padding=1, use_bias=False), nn.BatchNorm(),\n                       '
           "nn.Activation('relu'))", 'padding=1, use_bias=False))'),
          ('x + self.branch(x)', 'self.unit(x)'),
          ('self.branch = nn.Sequential()', 'self.unit = PreActResidual(16)\n        '
           'self.branch = nn.Sequential()'),
          ('        self.branch.add', '        nn.Sequential().add')], 'test_ends'),
        ('activated twice at the start', 'net',
         [('self.rest(x + self.branch(x))', 'self.rest(self.unit(x))'),
          ('self.branch = nn.Sequential()', 'self.unit = PreActResidual(16)\n        '
           'self.branch = nn.Sequential()'),
          ('        self.branch.add', '        nn.Sequential().add')], 'test_net_counts'),
        ('no activation at the end', 'net',
         [("nn.BatchNorm(), nn.Activation('relu'), nn.GlobalAvgPool2D()", 'nn.GlobalAvgPool2D()')],
         'test_net_counts'),
        ('BN without ReLU at the end', 'net',
         [("nn.BatchNorm(), nn.Activation('relu'), nn.GlobalAvgPool2D()",
           'nn.BatchNorm(), nn.GlobalAvgPool2D()')], 'test_ends'),
        ('the mean before the last BN', 'net',
         [("nn.BatchNorm(), nn.Activation('relu'), nn.GlobalAvgPool2D()",
           "nn.GlobalAvgPool2D(), nn.BatchNorm(), nn.Activation('relu')")], 'test_ends'),
        ('the mean before the last ReLU', 'net',
         [("nn.BatchNorm(), nn.Activation('relu'), nn.GlobalAvgPool2D()",
           "nn.BatchNorm(), nn.GlobalAvgPool2D(), nn.Activation('relu')")], 'test_ends'),
        ('no ReLU at the start', 'net',
         [("nn.BatchNorm(),\n                       nn.Activation('relu'))", 'nn.BatchNorm())')],
         'test_ends'),
        ('a unit too many', 'net', [('range(n - 1)', 'range(n)')], 'test_net_counts'),
        ('the first branch without shortcut', 'net', [('x + self.branch(x)', 'self.branch(x)')],
         'test_ends'),
        ('the widths doubled too late', 'net', [('(32, 64)', '(16, 32)')], 'test_net_counts'),
        ('ReLU behind the dense layer', 'net',
         [('self.rest(x + self.branch(x))', 'nd.relu(self.rest(x + self.branch(x)))')],
         'test_net_predict'),
    ],
    '6_better_or_broken': [
        ('β and biases stay', 'shortcut',
         [("if p.grad_req != 'null'", "if p.grad_req != 'null' and len(p.shape) > 1")],
         'test_shortcut'),
        ('γ alone is zero', 'shortcut', [("if p.grad_req != 'null'", "if 'gamma' in p.name")],
         'test_shortcut'),
        ('the mean deviation', 'shortcut', [('.abs().max()', '.abs().mean()')], 'test_shortcut'),
        ('a deviation with its sign', 'shortcut', [('.abs().max()', '.max()')], 'test_shortcut'),
        ('as a share of x', 'shortcut',
         [('return (block', 'return ((block'), ('.abs().max()', '.abs().max() / x.max())')],
         'test_shortcut'),
        ('means with their signs', 'moved', [('.abs().max()', '.max()')], 'test_moved'),
        ('the mean of the means', 'moved', [('.abs().max()', '.abs().mean()')], 'test_moved'),
        ('variances too', 'moved', [("endswith('running_mean')", "endswith(('_mean', '_var'))")],
         'test_moved'),
        ('the last BN alone', 'moved', [('max(largest, default=None)',
                                         'largest[-1] if largest else None')], 'test_moved'),
        ('0 without BN', 'moved', [('default=None', 'default=0')], 'test_moved'),
        ('the mean of the arrays\' ratios', 'relative',
         [('    change = sum(((new - old) ** 2).sum() for old, new in '
           'zip(before, after, strict=True))\n'
           '    return (change / sum((old ** 2).sum() for old in before)) ** 0.5',
           '    return np.mean([np.linalg.norm(new - old) / np.linalg.norm(old)\n'
           '                    for old, new in zip(before, after, strict=True)])')],
         'test_relative'),
        ('squares without a root', 'relative', [(' ** 0.5', '')], 'test_relative'),
        ('relative to the weights after', 'relative', [('for old in before', 'for old in after')],
         'test_relative'),
        ('the mean over batches', 'wrong',
         [('    wrong = [label != answers[find(picture)]\n             for x, y in batches for '
           'picture, label in zip(x, y, strict=True)]',
           '    wrong = [np.mean([label != answers[find(picture)] for picture, label in '
           'zip(x, y, strict=True)])\n             for x, y in batches]')], 'test_wrong'),
        ('the right labels', 'wrong', [('label != answers', 'label == answers')], 'test_wrong'),
        ('compared by place', 'wrong',
         [('    find = finder(pictures)\n', '    place = iter(range(len(pictures)))\n'),
          ('answers[find(picture)]', 'answers[next(place)]')], 'test_wrong'),
        ('the first batch alone', 'wrong', [('in batches for', 'in list(batches)[:1] for')],
         'test_wrong'),
        ('as many blocks as signals', 'growth', [('(len(signals) - 1)', 'len(signals)')],
         'test_growth'),
        ('the factor of the whole net', 'growth', [(' ** (1 / (len(signals) - 1))', '')],
         'test_growth'),
        ('the mean square', 'growth',
         [('signals[-1].std() / signals[0].std()',
           'np.square(signals[-1]).mean() ** 0.5 / np.square(signals[0]).mean() ** 0.5')],
         'test_growth'),
        ('the last block alone', 'growth',
         [('(signals[-1].std() / signals[0].std()) ** (1 / (len(signals) - 1))',
           'signals[-1].std() / signals[-2].std()')], 'test_growth'),
        ('E\'s step taken for the cause', 'diagnosis',
         [("'E': 'the initialisation'", "'E': 'a learning rate too large'")], 'test_cause'),
        ('A is too deep', 'diagnosis', [("'A': 'the shortcut'", "'A': 'too many blocks'")],
         'test_diagnosis'),
        ('D overfits', 'diagnosis', [("'D': 'the labels'", "'D': 'overfitting'")],
         'test_diagnosis'),
        ('fewer blocks', 'repair_a', [('_replace(block=Block)', '_replace(blocks=2)')],
         'test_repair_a'),
        ('another branch', 'repair_a',
         [('self.bn2(self.dense2(out)) + x', 'self.bn2(self.dense2(out)) / 2 + x')],
         'test_repair_a'),
        ('no ReLU behind the sum', 'repair_a',
         [('F.relu(self.bn2(self.dense2(out)) + x)', 'self.bn2(self.dense2(out)) + x')],
         'test_repair_a'),
        ('a shortcut of a half', 'repair_a',
         [('self.bn2(self.dense2(out)) + x', 'self.bn2(self.dense2(out)) + x / 2')],
         'test_repair_a'),
        ('biases as well', 'repair_a', [('_replace(block=Block)', '_replace(block=BlockB)')],
         'test_repair_a'),
        ('a rate as well', 'repair_a', [('(block=Block)', '(block=Block, rate=0.1)')],
         'test_repair_a'),
        ('nothing replaced', 'repair_b', [("cases['B']._replace(step=step_a)", "cases['B']")],
         'test_repair_b'),
        ('a lower rate', 'repair_b', [('step=step_a', 'rate=0.005')], 'test_repair_b'),
        ('training mode forward only', 'repair_b',
         [('    return cases', '    def step(net, trainer, x, y):\n'
           '        with autograd.record():\n'
           '            losses = cross_entropy(net(x), y)\n        losses.backward(train_mode='
           'False)\n        trainer.step(len(x))\n        return losses.mean().asscalar()\n\n'
           '    return cases'), ('step=step_a', 'step=step')], 'test_repair_b'),
        ('a step divided twice', 'repair_b',
         [('    return cases', '    def step(net, trainer, x, y):\n'
           '        with autograd.record():\n'
           '            loss = cross_entropy(net(x), y).mean()\n        loss.backward()\n'
           '        trainer.step(len(x))\n        return loss.asscalar()\n\n    return cases'),
          ('step=step_a', 'step=step')], 'test_repair_b'),
        ('still too small', 'repair_c', [('rate=0.02', 'rate=0.00006')], 'test_repair_c'),
        ('another step as well', 'repair_c', [('rate=0.02', 'rate=0.02, step=step_d')],
         'test_repair_c'),
        ('no rate at all', 'repair_c', [('rate=0.02', 'rate=0')], 'test_repair_c'),
        ('nothing is mirrored', 'repair_d', [('batches=batches)', 'batches=batches_a)')],
         'test_repair_d'),
        ('upside down', 'repair_d', [('[:, :, ::-1]', '[:, ::-1]')], 'test_repair_d'),
        ('all are mirrored', 'repair_d', [('rng.random_sample(len(x)) < 0.8', 'slice(None)')],
         'test_repair_d'),
        ('mirrored, and still in reverse order', 'repair_d',
         [('[:, :, ::-1]', '[::-1, :, ::-1]')], 'test_repair_d'),
        ('mirrored ones come twice', 'repair_d',
         [('yield x, y', 'yield x[:25], y[:25]\n            yield x[:25], y[:25]')],
         'test_repair_d'),
        ('a lower rate', 'repair_e', [('init=Init()', 'rate=1e-7')], 'test_repair_e'),
        ('weights near zero', 'repair_e', [('(2 / weight.shape[1]) ** 0.5', '1e-6')],
         'test_repair_e'),
        ('the root of n still for n', 'repair_e',
         [('(2 / weight.shape[1]) ** 0.5', '(2 / weight.shape[1] ** 0.5) ** 0.5')],
         'test_repair_e'),
        ('the root of n forgotten in the error', 'difference', [(' / len(d) ** 0.5', '')],
         'test_difference'),
        ('s divided by n', 'difference', [('ddof=1', 'ddof=0')], 'test_difference'),
        ('a - b', 'difference', [('b[seed] - a[seed]', 'a[seed] - b[seed]')], 'test_difference'),
        ('T of n - 1', 'difference', [('T[len(d)]', 'T[max(2, len(d) - 1)]')], 'test_difference'),
        ('the range of the differences', 'difference',
         [('return d.mean() - half, d.mean() + half', 'return d.min(), d.max()')],
         'test_difference'),
        ('paired by place', 'difference',
         [('[b[seed] - a[seed] for seed in a if seed in b]',
           '[y - x for x, y in zip(a.values(), b.values(), strict=False)]')], 'test_seeds'),
        ('an interval without width for one seed', 'difference',
         [('if len(d) < 2:\n        return None',
           'if len(d) < 2:\n        return (d[0], d[0]) if len(d) else None')], 'test_seeds'),
        ('NaN for no answer', 'difference', [('return None', "return float('nan'), float('nan')")],
         'test_seeds'),
        ('1.96 whatever n is', 'difference', [('T[len(d)]', '1.96')], 'test_coverage'),
        ('not paired, by the sum of the variances', 'difference',
         [('half = T[len(d)] * d.std(ddof=1) / len(d) ** 0.5',
           'parts = [np.std([net[seed] for seed in a if seed in b], ddof=1) for net in (a, b)]\n'
           '    half = T[len(d)] * np.hypot(*parts) / len(d) ** 0.5')], 'test_coverage'),
        ('the higher error is better', 'verdict', [("'a' if low > 0 else 'b'",
                                                     "'b' if low > 0 else 'a'")], 'test_verdict'),
        ('by the mean alone', 'verdict', [('low, high = interval', 'low = high = sum(interval)')],
         'test_verdict'),
        ('no answer is open', 'verdict', [("return 'no answer'", "return 'open'")],
         'test_verdict'),
    ],
}

# Half done, so that the visible check must say so, and with it Validate: (what is done, the cell,
# [(old, new), …]).
HALF = {
    '1_gradients': [
        ('one layer alone', 'chain', [('for w in weights:', 'for w in weights[:1]:')]),
        ('the slopes without the weights', 'chain', [('w * a * (1 - a)', 'a * (1 - a)')]),
        ('the direct term alone', 'terms', [('x), x.grad', 'x), nd.zeros_like(x)')]),
        ('the term through F alone', 'terms', [('nd.ones_like(x), x.grad', 'x.grad')]),
        ('their sum', 'terms', [('nd.ones_like(x), x.grad', 'nd.ones_like(x) + x.grad')]),
        ('prediction mode forward only', 'terms', [('backward(train_mode=False)', 'backward()')]),
        ('degradation alone', 'diagnose', [("'overfitting' if gap('test') >= 1 else ", '')]),
        ('overfitting alone', 'diagnose', [("gap('train') >= 1", 'False')]),
    ],
    '2_residual_block': [
        ('the branch alone', 'residual', [('relu(out + x)', 'relu(out)')]),
        ('without stride', 'residual', [('strides = 1 if same_shape else 2', 'strides = 1')]),
        ('without the second BN', 'residual', [('self.bn2(self.conv2(out))', 'self.conv2(out)')]),
        ('the pixels alone', 'zero_pad', [('if channels == x.shape[1]', 'if True')]),
        ('the channels alone', 'zero_pad', [('x[:, :, ::2, ::2]', 'x')]),
        ('new channels always', 'zero_pad', [('channels - x.shape[1], *', '1, *'),
                                             ('if channels == x.shape[1]', 'if False')]),
    ],
    '3_deeper_resnets': [
        ('two depths alone', 'stage_blocks', [('if depth not in table', 'if depth > 34')]),
        ('no error', 'stage_blocks', [('if depth not in table', 'if False'),
                                      ('table[depth]', 'table.get(depth)')]),
        ('18 layers alone', 'resnet', [('stage_blocks(depth)', 'stage_blocks(18)')]),
        ('no dense layer', 'resnet', [(', nn.Dense(num_classes)', '')]),
        ('no BN in the stem', 'resnet', [('*conv_bn(64, 7, stride=2)', 'conv_bn(64, 7, 2)[0]')]),
    ],
    '4_bottleneck': [
        ('the branch alone', 'bottleneck', [('self.body(x) + self.downsample(x)', 'self.body(x)')]),
        ('without projection', 'bottleneck', [('if downsample', 'if False')]),
        ('without stride', 'bottleneck', [(', strides=stride', '')]),
        ('with biases', 'bottleneck', [('use_bias=False', 'use_bias=True')]),
    ],
    '5_preactivation': [
        ('the branch alone', 'unit', [('return out + (self.conv3(active) if self.conv3 else x)',
                                       'return out')]),
        ('one size alone', 'unit', [('strides = 1 if same_shape else 2', 'strides = 1'),
                                    ('strides=2', 'strides=1')]),
        ('one BN', 'unit', [('self.bn2(self.conv1', '(self.conv1')]),
        ('a net of one unit a stage', 'net', [('range(n - 1)', 'range(0)')]),
        ('without the last activation', 'net',
         [("nn.BatchNorm(), nn.Activation('relu'), nn.GlobalAvgPool2D()", 'nn.GlobalAvgPool2D()')]),
    ],
    '6_better_or_broken': [
        ('always 0', 'shortcut', [('return (block(x) - x).abs().max().asscalar()', 'return 0')]),
        ('nothing set to zero', 'shortcut', [('p.set_data(nd.zeros(p.shape))', 'pass')]),
        ('always 0, or None', 'moved', [('max(largest, default=None)', '0 if largest else None')]),
        ('0 without BN', 'moved', [('default=None', 'default=0')]),
        ('the length of the change', 'relative', [('change / sum((old ** 2).sum() for old in '
                                                   'before)', 'change')]),
        ('the first batch alone', 'wrong', [('in batches for', 'in list(batches)[:1] for')]),
        ('the factor of the whole net', 'growth', [(' ** (1 / (len(signals) - 1))', '')]),
        ('four answers', 'diagnosis', [("'E': 'the initialisation'", '')]),
        ('an answer that is not in the list', 'diagnosis', [("'the labels'", "'the data'")]),
        ('as it was', 'repair_a', [('_replace(block=Block)', '_replace()')]),
        ('as it was', 'repair_b', [('_replace(step=step_a)', '_replace()')]),
        ('as it was', 'repair_c', [('_replace(rate=0.02)', '_replace()')]),
        ('still too small', 'repair_c', [('rate=0.02', 'rate=0.00003')]),
        ('as it was', 'repair_d', [('_replace(batches=batches)', '_replace()')]),
        ('as it was', 'repair_e', [('_replace(init=Init())', '_replace()')]),
        ('the mean difference alone', 'difference', [('mean() - half, d.mean() + half',
                                                      'mean(), d.mean()')]),
        ('an answer for one seed too', 'difference', [('return None', 'return d[0], d[0]')]),
        ('a alone', 'verdict', [(" else 'b' if high < 0", '')]),
        ('never open', 'verdict', [("'b' if high < 0 else 'open'", "'b'")]),
        ('an interval for everything', 'verdict', [("return 'no answer'", "return 'open'")]),
    ],
}

# Right, and unlike ours: {notebook: {what is other: {cell: source}}}.
ALTERNATIVES = {
    '1_gradients': {
        'by autograd, by a difference of two gradients, by early returns': {
            'chain': '''
def sigmoid_chain_gradient(weights, a0):
    a = nd.array([a0], dtype='float64')
    a.attach_grad()
    with autograd.record():
        out = a
        for w in weights:
            out = nd.sigmoid(w * out)
        out = out * 1
    out.backward()
    return a.grad.asscalar()
''',
            'terms': '''
def residual_gradient_terms(block, x):
    inside = nd.array(x.asnumpy())
    inside.attach_grad()
    with autograd.record(train_mode=False):
        h = block(inside) + inside
    h.backward(train_mode=False)
    direct = nd.ones(x.shape)
    return [direct, inside.grad - direct]
''',
            'diagnose': '''
def assert_close(*args):
    raise ValueError('not what the tests call')

def diagnose(shallow, deep):
    last = {part: deep[part][-1] - shallow[part][-1] for part in deep}
    if last['train'] < 1:
        if last['test'] < 1:
            return 'neither'
        return 'overfitting'
    return 'degradation'
'''}},
    '2_residual_block': {
        'a HybridBlock, shortcut first, created from the end': {
            'residual': '''
class Residual(nn.HybridBlock):
    def __init__(self, channels, same_shape=True, **kwargs):
        super().__init__(**kwargs)
        self.way = nn.HybridSequential()
        if not same_shape:
            self.way.add(nn.Conv2D(channels, 1, 2))
        self.late = nn.HybridSequential()
        self.late.add(nn.Conv2D(channels, 3, padding=1), nn.BatchNorm())
        self.early = nn.HybridSequential()
        self.early.add(nn.Conv2D(channels, 3, 1 if same_shape else 2, 1), nn.BatchNorm(),
                       nn.Activation('relu'))
        self.end = nn.Activation('relu')
        self.hybridize()

    def hybrid_forward(self, F, x):
        way = self.way(x)
        return self.end(way + self.late(self.early(x)))
''',
            'zero_pad': '''
def zero_pad_shortcut(x, channels):
    small = nd.Pooling(x, kernel=(1, 1), stride=(2, 2))
    more = channels - x.shape[1]
    return small if more == 0 else nd.concat(
        small, *[nd.zeros_like(small[:, :1]) for _ in range(more)], dim=1)
'''},
        'numbered layers in a dictionary, NumPy-free padding by nd.pad': {
            'residual': '''
def conv(n, k, s):
    return nn.Conv2D(n, kernel_size=(k, k), strides=(s, s), padding=(k // 2, k // 2))

class Residual(nn.Block):
    def __init__(self, channels, same_shape=True, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            bns = [nn.BatchNorm(in_channels=channels, epsilon=1e-5) for _ in range(2)]
            self.same = same_shape
            self.step = 2 - bool(same_shape)
            self.b, self.a = bns
            if not self.same:
                self.p = conv(channels, 1, self.step)
            self.d, self.c = conv(channels, 3, 1), conv(channels, 3, self.step)

    def forward(self, x):
        y = self.d(self.a(self.c(x)).relu())
        shortcut = x if self.same else self.p(x)
        return nd.maximum(self.b(y) + shortcut, 0)
''',
            'zero_pad': '''
def zero_pad_shortcut(x, channels):
    x = nd.slice(x, begin=(None,) * 4, end=(None,) * 4, step=(1, 1, 2, 2))
    extra = channels - x.shape[1]
    if extra:
        x = nd.concat(x, nd.zeros((x.shape[0], extra) + x.shape[2:]), dim=1)
    return x
'''},
        'identities in between, sums in place, padding by a fixed convolution': {
            'residual': '''
class Residual(nn.HybridBlock):
    def __init__(self, channels, same_shape=True, **kwargs):
        super().__init__(**kwargs)
        self.same_shape = same_shape
        if not same_shape:
            self.project = nn.Conv2D(channels, 1, 2)
        self.convs, self.norms = nn.HybridSequential(), nn.HybridSequential()
        for stride in (1 if same_shape else 2, 1):
            self.convs.add(nn.Conv2D(channels, 3, stride, 1))
            self.norms.add(nn.BatchNorm())

    def hybrid_forward(self, F, x):
        way = F.identity(x if self.same_shape else self.project(x))
        out = F.maximum(self.norms[0](F.identity(self.convs[0](x))), 0)
        out = self.norms[1](F.identity(self.convs[1](out)))
        out = out + way
        return F.maximum(out, 0)
''',
            'zero_pad': '''
def zero_pad_shortcut(x, channels):
    weight = nd.eye(channels, x.shape[1]).reshape((channels, x.shape[1], 1, 1))
    return nd.Convolution(x, weight, kernel=(1, 1), stride=(2, 2), num_filter=channels,
                          no_bias=True)
'''},
        'names that tests use are the student\'s, for other things': {
            'zero_pad': '''
from mxnet import np
abs, len, range, isinstance, grader, random, zip, all, any, max = range(10)

def zero_pad_shortcut(x, channels):
    new = channels - x.shape[1]
    x = x[:, :, ::2, ::2]
    return nd.concat(x, nd.zeros((x.shape[0], new, *x.shape[2:])), dim=1) if new else x
'''}},
    '3_deeper_resnets': {
        'own blocks, a sequential for each stage, created from the end': {
            'stage_blocks': '''
def stage_blocks(depth):
    if depth == 18:
        return [2, 2, 2, 2]
    if depth in (34, 50):
        return [3, 4, 6, 3]
    if depth == 101:
        return [3, 4, 23, 3]
    if depth == 152:
        return [3, 8, 36, 3]
    raise ValueError('there is no ResNet-' + str(depth))
''',
            'resnet': '''
class MyBlock(nn.HybridBlock):
    def __init__(self, channels, shrink):
        super().__init__()
        self.bn2 = nn.BatchNorm()
        self.conv2 = nn.Conv2D(channels, 3, 1, 1, use_bias=False)
        self.bn1 = nn.BatchNorm()
        self.conv1 = nn.Conv2D(channels, 3, 1 + shrink, 1, use_bias=False)
        self.side = nn.HybridSequential()
        if shrink:
            self.side.add(nn.Conv2D(channels, 1, 2, use_bias=False), nn.BatchNorm())

    def hybrid_forward(self, F, x):
        side = self.side(x)
        x = F.Activation(self.bn1(F.identity(self.conv1(x))), act_type='relu')
        return F.Activation(side + self.bn2(self.conv2(x)), act_type='relu')

class ResNet(nn.HybridBlock):
    def __init__(self, depth, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.out = nn.Dense(num_classes)
        self.stages = nn.HybridSequential()
        for number, channels in zip(stage_blocks(depth), [64, 128, 256, 512]):
            stage = nn.HybridSequential()
            for i in range(number):
                stage.add(MyBlock(channels, channels > 64 and i == 0))
            self.stages.add(stage)
        self.bn = nn.BatchNorm()
        self.conv = nn.Conv2D(64, 7, 2, 3, use_bias=False)
        self.pool = nn.MaxPool2D(3, 2, 1)

    def hybrid_forward(self, F, x):
        x = self.stages(self.pool(F.relu(self.bn(self.conv(x)))))
        return self.out(F.mean(x, axis=(2, 3)))
'''}},
    '4_bottleneck': {
        'a HybridBlock, shortcut first, created from the end': {
            'bottleneck': '''
class Bottleneck(nn.HybridBlock):
    def __init__(self, channels, stride=1, downsample=False, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.n3 = nn.BatchNorm()
            self.c3 = nn.Conv2D(4 * channels, 1, use_bias=False)
            self.n2 = nn.BatchNorm()
            self.c2 = nn.Conv2D(channels, 3, stride, 1, use_bias=False)
            self.n1 = nn.BatchNorm()
            self.c1 = nn.Conv2D(channels, 1, use_bias=False)
            if downsample:
                self.ns = nn.BatchNorm()
                self.cs = nn.Conv2D(4 * channels, 1, stride, use_bias=False)
        self.ds = downsample

    def hybrid_forward(self, F, x):
        s = self.ns(self.cs(x)) if self.ds else x
        for c, n in ((self.c1, self.n1), (self.c2, self.n2)):
            x = F.relu(n(c(x)))
        return F.relu(F.elemwise_add(s, self.n3(self.c3(x))))
'''},
        'identities in between, one list of layers': {
            'bottleneck': '''
class Bottleneck(nn.Block):
    def __init__(self, channels, stride=1, downsample=False, **kwargs):
        super().__init__(**kwargs)
        self.layers = nn.Sequential()
        shapes = [(channels, 1, 1), (channels, 3, stride), (4 * channels, 1, 1)]
        if downsample:
            shapes.append((4 * channels, 1, stride))
        for width, kernel, step in shapes:
            self.layers.add(nn.Conv2D(width, kernel, step, kernel // 2, use_bias=False),
                            nn.BatchNorm())

    def step(self, i, x):
        return self.layers[2 * i + 1](nd.identity(self.layers[2 * i](x)))

    def forward(self, x):
        out = self.step(2, nd.maximum(self.step(1, nd.maximum(self.step(0, x), 0)), 0))
        return nd.maximum(out + (self.step(3, x) if len(self.layers) > 6 else x), 0)
'''}},
    '5_preactivation': {
        'HybridBlocks, and a first unit by an argument': {
            'unit': '''
class PreActResidual(nn.HybridBlock):
    def __init__(self, channels, same_shape=True, first=False, **kwargs):
        super().__init__(**kwargs)
        stride = 1 if same_shape else 2
        self.shortcut = None
        if not same_shape:
            self.shortcut = nn.Conv2D(channels, 1, 2, use_bias=False)
        self.late = nn.HybridSequential()
        self.late.add(nn.BatchNorm(), nn.Activation('relu'),
                      nn.Conv2D(channels, 3, 1, 1, use_bias=False))
        self.conv = nn.Conv2D(channels, 3, stride, 1, use_bias=False)
        self.act = nn.HybridSequential()
        if not first:
            self.act.add(nn.BatchNorm(), nn.Activation('relu'))

    def hybrid_forward(self, F, x):
        a = self.act(x)
        s = x if self.shortcut is None else self.shortcut(a)
        return s + self.late(self.conv(a))
''',
            'net': '''
class PreActNet(nn.HybridBlock):
    def __init__(self, n, num_classes=10, **kwargs):
        super().__init__(**kwargs)
        self.tail = nn.HybridSequential()
        self.tail.add(nn.BatchNorm(), nn.Activation('relu'), nn.GlobalAvgPool2D(), nn.Flatten(),
                      nn.Dense(num_classes))
        self.units = nn.HybridSequential()
        for i in range(3 * n):
            self.units.add(PreActResidual((16, 32, 64)[i // n], i == 0 or i % n > 0, i == 0))
        self.head = nn.HybridSequential()
        self.head.add(nn.Conv2D(16, 3, 1, 1, use_bias=False), nn.BatchNorm(),
                      nn.Activation('relu'))

    def hybrid_forward(self, F, x):
        conv, norm, relu = self.head
        return self.tail(self.units(relu(norm(F.identity(conv(x))))))
'''}},
    '6_better_or_broken': {
        'other layers, other words, other ways to the same numbers': {
            'shortcut': '''
def shortcut_deviation(block, x):
    block(x)
    for name, p in block.collect_params('.*(weight|bias|gamma|beta)').items():
        p.data()[:] = 0
    y = block(x).asnumpy()
    return np.max(np.abs(y - x.asnumpy()))
''',
            'moved': '''
found = []

def bn_moved(net):
    del found[:]

    def look(block):
        if isinstance(block, nn.BatchNorm):
            found.append(np.abs(block.running_mean.data().asnumpy()).max())

    net.apply(look)
    if found:
        return max(found)
''',
            'relative': '''
def relative_step(before, after):
    flat = [np.concatenate([array.flatten() for array in arrays]) for arrays in (before, after)]
    return np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[0])
''',
            'wrong': '''
def wrong_labels(batches, pictures, answers):
    seen = wrong = 0
    for x, y in batches:
        for picture, label in zip(x, y, strict=True):
            same = (pictures == picture).all(axis=(1, 2)) | (
                pictures == picture[:, ::-1]).all(axis=(1, 2))
            number = same.argmax()
            seen += 1
            wrong += int(answers[number] != label)
    return wrong / seen
''',
            'growth': '''
def growth(signals):
    sizes = np.array([signal.std() for signal in signals])
    return np.exp(np.log(sizes[1:] / sizes[:-1]).mean())
''',
            'repair_a': '''
class Mended(nn.HybridBlock):
    def __init__(self, width):
        super().__init__()
        self.last = nn.BatchNorm()
        self.layer2 = nn.Dense(width, use_bias=False, flatten=False)
        self.norm = nn.BatchNorm()
        self.layer1 = nn.Dense(width, use_bias=False)

    def hybrid_forward(self, F, x):
        out = F.maximum(self.norm(self.layer1(x)), 0)
        return F.Activation(x + self.last(self.layer2(out)), act_type='relu')

def repair_a():
    return Recipe(Mended, *cases['A'][1:])
''',
            'repair_b': '''
def my_step(net, trainer, x, y):
    with autograd.record(train_mode=True):
        loss = -nd.pick(nd.log_softmax(net(x)), y).mean()
    autograd.backward([loss])
    trainer.step(batch_size=1)
    return float(loss.asnumpy())

def repair_b():
    return Recipe(**{**cases['B']._asdict(), 'step': my_step})
''',
            'repair_c': '''
def repair_c():
    return cases['C']._replace(rate=cases['C'].rate * 2000)
''',
            'repair_d': '''
def my_batches(pictures, answers, rng, size=50):
    side = (rng.rand(len(pictures)) > 0.2).astype(int)
    both = np.stack([pictures, np.flip(pictures, axis=2)])[side, np.arange(len(side))]
    return batches_a(both, answers, rng, size)

def repair_d():
    return cases['D']._replace(batches=my_batches)
''',
            'repair_e': '''
def repair_e():
    return cases['E']._replace(init=init.MSRAPrelu('in', 0))
''',
            'difference': '''
def difference(a, b):
    shared = sorted(a.keys() & b.keys())
    n = len(shared)
    if n <= 1:
        return
    d = [b[s] - a[s] for s in shared]
    mean = sum(d) / n
    error = (sum((x - mean) ** 2 for x in d) / (n - 1) / n) ** 0.5
    return np.array([mean - T[n] * error, mean + T[n] * error])
''',
            'verdict': '''
def verdict(a, b):
    found = difference(a, b)
    if found is None:
        return 'no answer'
    signs = set(np.sign(found))
    return {1: 'a', -1: 'b'}[signs.pop()] if len(signs) == 1 and 0 not in signs else 'open'
'''},
        'Xavier for E, a higher rate for C': {
            'repair_c': '''
def repair_c():
    return cases['C']._replace(rate=0.05)
''',
            'repair_e': '''
def repair_e():
    return cases['E']._replace(init=init.Xavier())
'''}},
}
